"""Downloads from a server that fails in every way."""

import hashlib
import http.server
import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from download_server import Handler, serving
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.zoo import DownloadError, UnsafeCheckpointError, download_model
from mmselfemd.zoo.download import load_from_zoo, sha256_of

ROOT = Path(__file__).resolve().parents[2]


def weights(value: float) -> bytes:
    file = io.BytesIO()
    torch.save(dict(state_dict={'conv1.weight': torch.tensor([value])}), file)
    return file.getvalue()


RIGHT, WRONG = weights(1.0), weights(2.0)
SHA256 = hashlib.sha256(RIGHT).hexdigest()


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with ``files``, and the paths that were ``asked``."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.delenv('MMSELFEMD_ZOO', raising=False)
    with serving() as server:
        server.cut = {'cut.pth'}
        yield server


@pytest.fixture
def root(tmp_path, server):
    """An index: a whole file, and every way to fail."""
    entries = [
        dict(
            Name=name,
            Config=f'{name}.py',
            Weights=f'{server.address}/files/{name}.pth',
            SHA256=SHA256,
        )
        for name in ('model', 'cut', 'wrong', 'absent')
    ]
    entries.append(dict(entries[0], Name='unchecked', SHA256=None))
    entries.append(dict(Name='unpublished', Config='unpublished.py'))
    server.files.update(
        {'model.pth': RIGHT, 'cut.pth': RIGHT, 'wrong.pth': WRONG}
    )
    (tmp_path / 'metafile.yml').write_text(yaml.safe_dump(entries))
    (tmp_path / 'model-index.yml').write_text('Import: [metafile.yml]')
    return tmp_path


def value_of(checkpoint: dict) -> float:
    return checkpoint['state_dict']['conv1.weight'].item()


def test_downloaded_once_into_the_cache_of_torch(server, root, tmp_path):
    for _ in range(2):
        loaded = load_from_zoo('mmselfemd://model', 'cpu', root)
        assert value_of(loaded) == 1
    assert server.asked == ['/files/model.pth']
    cached = Path(torch.hub.get_dir(), 'checkpoints', 'model.pth')
    assert tmp_path in cached.parents
    assert cached.read_bytes() == RIGHT


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('cut', 'cut off on its way'),
        ('wrong', f'is not the file of the model index.*{SHA256}'),
        ('absent', r'absent\.pth: the server answers 404'),
    ],
)
def test_nothing_bad_stays(server, root, tmp_path, name, message):
    folder = tmp_path / 'dest'
    with pytest.raises(DownloadError, match=message) as error:
        download_model(name, folder, root)
    assert 'MMSELFEMD_ZOO=' in str(error.value)
    assert {path.suffix for path in folder.iterdir()} <= {'.lock'}
    server.cut.clear()
    server.files[f'{name}.pth'] = RIGHT
    assert download_model(name, folder, root).read_bytes() == RIGHT


def test_no_server(server, root, monkeypatch):
    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as other:
        port = other.server_address[1]  # free again
    monkeypatch.setenv('MMSELFEMD_ZOO', f'http://127.0.0.1:{port}')
    with pytest.raises(DownloadError, match=f'{port}/model.pth could not be'):
        load_from_zoo('mmselfemd://model', root=root)


def test_a_server_that_sends_nothing_is_given_up(
    server, root, tmp_path, monkeypatch
):
    monkeypatch.setattr('mmselfemd.zoo.download.TIMEOUT', 0.1)
    server.go_on.clear()
    with pytest.raises(DownloadError, match='could not be fetched.*timed out'):
        download_model('model', tmp_path / 'dest', root)
    server.go_on.set()
    assert socket.getdefaulttimeout() is None
    assert not (tmp_path / 'dest' / 'model.pth').exists()


def test_interrupted_by_the_user(server, root, tmp_path, monkeypatch):
    def stop(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('torch.hub.tqdm.update', stop)
        with pytest.raises(KeyboardInterrupt):
            download_model('model', tmp_path / 'dest', root)
    names = [path.name for path in (tmp_path / 'dest').iterdir()]
    assert names in ([], ['model.pth.lock'])
    assert download_model('model', tmp_path / 'dest', root).is_file()


def test_damaged_file_in_the_cache_is_replaced(server, root, tmp_path):
    path = tmp_path / 'dest' / 'model.pth'
    path.parent.mkdir()
    path.write_bytes(RIGHT[:-9])
    assert download_model('model', path.parent, root) == path
    assert path.read_bytes() == RIGHT
    assert len(server.asked) == 1


def test_mirror(server, root, monkeypatch):
    monkeypatch.setenv('MMSELFEMD_ZOO', f'{server.address}/mirror/')
    assert value_of(load_from_zoo('mmselfemd://model', root=root)) == 1
    assert server.asked == ['/mirror/model.pth']


def test_folder(server, root, tmp_path, monkeypatch):
    folder = tmp_path / 'folder of weights'
    folder.mkdir()
    monkeypatch.setenv('MMSELFEMD_ZOO', str(folder))
    (folder / 'model.pth').write_bytes(RIGHT)
    (folder / 'unpublished.pth').write_bytes(WRONG)
    assert value_of(load_from_zoo('mmselfemd://model', root=root)) == 1
    assert value_of(load_from_zoo('mmselfemd://unpublished', root=root)) == 2
    copy = download_model('unpublished', tmp_path / 'dest', root)
    assert copy.read_bytes() == WRONG
    (folder / 'model.pth').write_bytes(WRONG)
    with pytest.raises(DownloadError, match='is not the file of the model'):
        load_from_zoo('mmselfemd://model', root=root)
    assert not server.asked


def test_a_link_is_copied_under_its_own_name(
    server, root, tmp_path, monkeypatch
):
    """The cache of a hub has links to files that are called otherwise."""
    (tmp_path / 'blob').write_bytes(RIGHT)
    folder = tmp_path / 'snapshot'
    folder.mkdir()
    (folder / 'model.pth').symlink_to('../blob')
    monkeypatch.setenv('MMSELFEMD_ZOO', str(folder))
    copy = download_model('model', tmp_path / 'dest', root)
    assert copy == tmp_path / 'dest' / 'model.pth'
    assert not copy.is_symlink() and copy.read_bytes() == RIGHT


@pytest.mark.parametrize('fetch', [load_from_zoo, download_model])
def test_a_damaged_file_of_the_package_is_to_be_installed_again(root, fetch):
    entry = dict(Name='ours', Weights='ours.pth', SHA256=SHA256)
    (root / 'metafile.yml').write_text(yaml.safe_dump([entry]))
    (root / 'ours.pth').write_bytes(RIGHT[:-9])
    message = 'ours.pth is not the file of the model index.*install that again'
    with pytest.raises(DownloadError, match=message):
        fetch('mmselfemd://ours', root=root)
    assert not Path(torch.hub.get_dir()).exists()


def test_without_a_hash_nothing_is_downloaded(server, root):
    with pytest.raises(ValueError, match='gives no SHA256'):
        load_from_zoo('mmselfemd://unchecked', root=root)
    assert not server.asked


def test_code_is_refused(server, root, tmp_path):
    bomb = io.BytesIO()
    torch.save(dict(state_dict={}, hook=print), bomb)
    server.files['model.pth'] = bomb.getvalue()
    metafile = tmp_path / 'metafile.yml'
    found = hashlib.sha256(bomb.getvalue()).hexdigest()
    metafile.write_text(metafile.read_text().replace(SHA256, found))
    with pytest.raises(UnsafeCheckpointError):
        load_from_zoo('mmselfemd://model', root=root)


def test_one_of_several_processes_downloads(server, root, tmp_path):
    code = (
        'import sys; from mmselfemd.zoo import download_model; '
        'print(download_model("model", sys.argv[1], sys.argv[2]))'
    )
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', code, tmp_path / 'dest', root],
            env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    paths = {process.communicate()[0].split()[-1] for process in processes}
    assert paths == {str(tmp_path / 'dest' / 'model.pth')}
    assert server.asked == ['/files/model.pth']


def test_scheme_is_registered():
    assert CheckpointLoader._schemes['mmselfemd://'] is load_from_zoo


def test_sha256(tmp_path):
    path = tmp_path / 'large'
    path.write_bytes(os.urandom((1 << 20) + 7))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert sha256_of(path) == expected
