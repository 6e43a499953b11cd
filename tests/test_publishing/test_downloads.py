"""A published model, fetched from a server that fails in every way.

What any file goes through is in ``tests/test_zoo/test_download.py``.
"""

import multiprocessing
import os
import runpy
import signal
import threading

import pytest
import torch
from finished_demo import NAME
from mmengine.runner.checkpoint import CheckpointLoader
from tqdm import tqdm

from mmselfemd.publishing import publish
from mmselfemd.zoo import DownloadError, download_model

ADDRESS = f'mmselfemd://{NAME}'


@pytest.fixture
def published(server, index, demos, tmp_path):
    """A model whose index names the server, which has its file."""
    made = publish(demos[:1], index, tmp_path / 'upload', server.address)
    server.files[made.weights.name] = made.weights.read_bytes()
    return made


def run_tool(root, monkeypatch, *arguments):
    """tools/download_model.py, in this process: it reads this index."""
    tool = str(root / 'tools' / 'download_model.py')
    monkeypatch.setattr('sys.argv', [tool, *map(str, arguments)])
    runpy.run_path(tool, run_name='__main__')


def test_by_its_name_and_then_without_the_server(published, server):
    wanted = torch.load(published.weights, weights_only=True)['state_dict']
    for _ in range(2):
        found = CheckpointLoader.load_checkpoint(ADDRESS, 'cpu')['state_dict']
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        server.files.clear()  # the second time it is in the cache
    assert server.asked == [f'/{published.weights.name}']


def test_by_the_tool(published, server, root, tmp_path, monkeypatch, capsys):
    server.moved.add(published.weights.name)
    run_tool(root, monkeypatch, NAME, '--dest', tmp_path / 'dest')
    copy = tmp_path / 'dest' / published.weights.name
    assert copy.read_bytes() == published.weights.read_bytes()
    assert server.asked[-1] == f'/moved/{copy.name}'
    said = capsys.readouterr().out
    assert published.backbone.sha256 in said and str(copy) in said


def cut(server, name):
    server.cut.add(name)


def wrong(server, name):
    content = server.files[name]
    server.files[name] = content[:-1] + bytes([content[-1] ^ 1])


def redirected_to_nothing(server, name):
    server.moved.add(name)
    del server.files[name]


def absent(server, name):
    del server.files[name]


def a_page_in_its_place(server, name):
    server.files[name] = b'<html>Log in first</html>'


@pytest.mark.parametrize(
    ('fail', 'message'),
    [
        (cut, 'cut off on its way'),
        (wrong, 'is not the file of the model index'),
        (a_page_in_its_place, 'is not the file of the model index'),
        (redirected_to_nothing, 'the server answers 404'),
        (absent, 'the server answers 404'),
    ],
)
def test_what_fails_is_one_line_and_leaves_nothing(
    published, server, root, tmp_path, monkeypatch, capsys, fail, message
):
    name = published.weights.name
    fail(server, name)
    with pytest.raises(SystemExit) as error:
        run_tool(root, monkeypatch, NAME, '--dest', tmp_path / 'dest')
    assert error.value.code == 2
    (last,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert last.startswith('download_model.py: error: ') and message in last
    assert name in last and 'MMSELFEMD_ZOO=' in last
    left = {path.name for path in (tmp_path / 'dest').iterdir()}
    assert left <= {f'{name}.lock'}
    server.cut.clear()
    server.moved.clear()
    server.files[name] = published.weights.read_bytes()
    assert download_model(NAME, tmp_path / 'dest').is_file()


def test_offline(published, server, index, tmp_path, monkeypatch):
    metafile = published.metafile
    nowhere = metafile.read_text().replace(server.address, 'http://[::1]:1')
    metafile.write_text(nowhere)
    with pytest.raises(DownloadError, match='could not be fetched'):
        CheckpointLoader.load_checkpoint(ADDRESS)
    monkeypatch.setenv('MMSELFEMD_ZOO', str(tmp_path / 'upload'))
    assert CheckpointLoader.load_checkpoint(ADDRESS)['state_dict']


def download_behind_its_own_lock(*arguments):
    """Forks share the lock of tqdm, and a killed one never gives it back."""
    tqdm.set_lock(threading.RLock())
    download_model(*arguments)


def test_killed_half_way_it_starts_again(published, server, tmp_path):
    """By design: what a killed process left is not trusted."""
    name, folder = published.weights.name, tmp_path / 'dest'
    server.paused.add(name)
    server.go_on.clear()
    process = multiprocessing.get_context('fork').Process(
        target=download_behind_its_own_lock, args=(NAME, folder)
    )
    process.start()
    assert server.has_paused.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (folder / name).exists()
    server.go_on.set()
    server.paused.clear()
    # Its lock has ended with it.
    path = download_model(NAME, folder)
    assert path.read_bytes() == published.weights.read_bytes()
    assert server.ranges == [None, None]
