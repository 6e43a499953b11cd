"""Every source of checkpoints: what is read, what is refused."""

import errno
import functools
import http.server
import io
import json
import os
import pickle
import threading
import zipfile
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

import mmselfemd  # noqa: F401  registers the loaders
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.zoo import UnsafeCheckpointError
from mmselfemd.zoo.loading import (
    check_finite,
    state_dict_of,
    weights_only,
)


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder, and the address under which it is served."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'mmengine'))
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f'http://127.0.0.1:{server.server_address[1]}'
        server.shutdown()
        thread.join()


WEIGHTS = dict(state_dict={'backbone.conv1.weight': torch.arange(6.0)})


def served_as(server, tmp_path, monkeypatch, scheme: str, name: str) -> str:
    """The address of a served file under one of mmengine's schemes."""
    folder, address = server
    url = f'{address}/{name}'
    if scheme == 'local':
        return str(folder / name)
    if scheme == 'http':
        return url
    table = {
        'torchvision': 'get_torchvision_models',
        'open-mmlab': 'get_external_models',
        'mmcls': 'get_mmcls_models',
    }[scheme]
    monkeypatch.setattr(
        f'mmengine.runner.checkpoint.{table}', lambda: dict(model=url)
    )
    return f'{scheme}://model'


SCHEMES = ['local', 'http', 'torchvision', 'open-mmlab', 'mmcls']


@pytest.mark.parametrize('scheme', SCHEMES)
def test_weights_are_read_from_every_source(
    server, tmp_path, monkeypatch, scheme
):
    torch.save(WEIGHTS, server[0] / 'good.pth')
    address = served_as(server, tmp_path, monkeypatch, scheme, 'good.pth')
    (weights,) = CheckpointLoader.load_checkpoint(address)[
        'state_dict'
    ].values()
    assert torch.equal(weights, torch.arange(6.0))


@pytest.mark.parametrize('opt_out', [False, True])
@pytest.mark.parametrize('scheme', SCHEMES)
def test_code_is_refused_from_every_source(
    server, tmp_path, monkeypatch, scheme, opt_out
):
    if opt_out:  # the switch that many set to resume with mmengine
        monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    exploded = tmp_path / 'exploded'
    torch.save(dict(WEIGHTS, meta=Bomb(exploded)), server[0] / 'bomb.pth')
    address = served_as(server, tmp_path, monkeypatch, scheme, 'bomb.pth')
    for _ in range(2):  # the second time, a URL's file is in the cache
        with pytest.raises(UnsafeCheckpointError) as error:
            CheckpointLoader.load_checkpoint(address)
        assert address in str(error.value)
        assert 'throw-away environment' in str(error.value)
    assert not exploded.exists()
    torch.load(server[0] / 'bomb.pth', weights_only=False)
    assert exploded.exists()  # the file is what it is said to be


def test_object_store_is_guarded(tmp_path, monkeypatch):
    file = io.BytesIO()
    torch.save(dict(WEIGHTS, meta=Bomb(tmp_path / 'exploded')), file)

    class Store:
        def get(self, path):
            return file.getvalue()

    monkeypatch.setattr(
        'mmengine.runner.checkpoint.get_file_backend',
        lambda *args, **kwargs: Store(),
    )
    with pytest.raises(UnsafeCheckpointError, match='s3://bucket/bomb.pth'):
        CheckpointLoader.load_checkpoint('s3://bucket/bomb.pth')
    assert not (tmp_path / 'exploded').exists()


def test_every_scheme_of_mmengine_is_guarded():
    assert all(
        hasattr(loader, '__wrapped__') or loader.__name__ == 'load_from_zoo'
        for loader in CheckpointLoader._schemes.values()
    )


def test_torch_is_as_before(tmp_path):
    before, allowed = torch.load, set(torch.serialization.get_safe_globals())
    torch.save(WEIGHTS, tmp_path / 'good.pth')
    CheckpointLoader.load_checkpoint(str(tmp_path / 'good.pth'))
    with pytest.raises(FileNotFoundError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'none.pth'))
    assert torch.load is before
    assert set(torch.serialization.get_safe_globals()) == allowed


@pytest.mark.parametrize('zipped', [True, False])
def test_public_files_with_numpy_in_meta_are_read(tmp_path, zipped):
    meta = dict(
        epoch=np.int64(12),
        acc=np.float64(76.5),
        done=np.bool_(True),
        name=np.str_('x'),
        palette=np.uint8([[1, 2, 3]]),
    )
    torch.save(
        dict(WEIGHTS, meta=meta),
        tmp_path / 'public.pth',
        _use_new_zipfile_serialization=zipped,
    )
    read = CheckpointLoader.load_checkpoint(str(tmp_path / 'public.pth'))
    assert read['meta']['palette'].tolist() == [[1, 2, 3]]
    assert {**read['meta'], 'palette': 0} == {**meta, 'palette': 0}


@pytest.mark.parametrize(
    'value',
    [
        HistoryBuffer([1.0], [1]),
        np.array([dict(a=1)], dtype=object),
        getattr,
        Path('x'),
    ],
)
def test_objects_are_refused(tmp_path, value):
    torch.save(dict(WEIGHTS, meta=value), tmp_path / 'objects.pth')
    with pytest.raises(UnsafeCheckpointError):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'objects.pth'))


@pytest.mark.filterwarnings('ignore:.*TorchScript archive')
def test_torchscript_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / 'script.pth')
    with pytest.raises(UnsafeCheckpointError, match='TorchScript'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'script.pth'))


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('end', [1, 4, 20, 100, 300])
def test_a_file_that_is_cut_short_is_damaged(tmp_path, zipped, end):
    path = tmp_path / 'damaged.pth'
    torch.save(WEIGHTS, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:-end])
    with pytest.raises(UserValueError, match=r'is damaged.*Download or copy'):
        CheckpointLoader.load_checkpoint(str(path))


def test_unknown_model_is_named():
    with pytest.raises(ValueError, match='torchvision://resnot'):
        CheckpointLoader.load_checkpoint('torchvision://resnot')


@pytest.mark.parametrize(
    'checkpoint',
    [
        dict(),
        dict(state_dict={}),
        [1],
        dict(meta='x'),
        torch.ones(1),
        json.loads('{"state_dict": [1, 2]}'),
    ],
)
def test_no_weights_is_an_error(checkpoint):
    with pytest.raises(ValueError, match='x.pth holds no weights'):
        state_dict_of(checkpoint, 'x.pth')


def test_bare_and_wrapped_weights():
    bare = dict(a=torch.ones(1))
    assert state_dict_of(bare, '') == bare
    assert state_dict_of(dict(state_dict=bare, meta=1), '') == bare


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ({'x': torch.ones(1, dtype=torch.complex64)}, 'x is torch.complex64'),
        ({'\x1b[31mx': torch.ones(1)}, r"name '\\x1b\[31mx'"),
        (
            dict.fromkeys(map(str, range(100)), torch.ones(5)),
            'share their numbers',
        ),
    ],
)
def test_what_cannot_be_weights_is_named(weights, message):
    with pytest.raises(UserError, match=message):
        state_dict_of(weights, 'x.pth')


def test_only_names_are_names():
    weights = {0: torch.ones(1), 'a': torch.ones(1), None: torch.ones(1)}
    assert state_dict_of(weights, '').keys() == {'a'}


def test_tied_weights_are_read():
    tied = torch.ones(5)
    assert len(state_dict_of(dict(a=tied, b=tied, c=tied[1:]), '')) == 3


def test_zip_from_an_address_is_not_unpacked(server, tmp_path):
    """torch.hub would unpack one of a single member beside its cache."""
    folder, address = server
    with zipfile.ZipFile(
        folder / 'a.pth', 'w', zipfile.ZIP_DEFLATED
    ) as archive:
        archive.writestr('unpacked.pth', bytes(10**5))
    with pytest.raises(UnsafeCheckpointError, match='unpack to more'):
        CheckpointLoader.load_checkpoint(f'{address}/a.pth')
    assert not list(tmp_path.rglob('unpacked.pth'))


def test_unreadable_file_is_named(tmp_path, monkeypatch):
    torch.save(WEIGHTS, tmp_path / 'a.pth')

    def fail(self, *args):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(zipfile.ZipFile, 'read', fail)
    with pytest.raises(UserError, match=r'a\.pth cannot be read: Input'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))


def test_integers_are_no_weights():
    weights = {
        'conv1.weight': torch.ones(2, 3, dtype=torch.int32),
        'bn1.num_batches_tracked': torch.tensor(3),
    }
    with pytest.raises(UserValueError, match=r'a\.pth: 1 of 2 .*conv1'):
        check_finite(weights, 'a.pth')
    check_finite(weights | {'conv1.weight': torch.ones(2, 3)}, 'a.pth')


def test_onedl_mmengine_does_not_run_what_was_refused(
    tmp_path, monkeypatch, logged
):
    """What torch refuses, it opens again in full. So it must not be torch."""

    def safe_torch_load(file, map_location=None):
        try:
            return torch.load(file, map_location=map_location)
        except pickle.UnpicklingError:
            print_log('falls back', logger='current')
            return torch.load(file, map_location, weights_only=False)

    def load_from_local(filename, map_location=None):
        load = mmengine_checkpoint._safe_torch_load
        return load(filename, map_location=map_location)

    monkeypatch.setattr(
        mmengine_checkpoint, '_safe_torch_load', safe_torch_load, raising=False
    )
    good, bomb = tmp_path / 'good.pth', tmp_path / 'bomb.pth'
    torch.save(WEIGHTS, good)
    torch.save(dict(WEIGHTS, meta=Bomb(tmp_path / 'exploded')), bomb)
    guarded = weights_only(load_from_local)
    assert guarded(str(good))['state_dict']
    with pytest.raises(UnsafeCheckpointError):
        guarded(str(bomb))
    assert not (tmp_path / 'exploded').exists() and not logged


def test_an_address_without_a_network_is_said(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError('no network')

    monkeypatch.setattr('torch.hub.download_url_to_file', refuse)
    address = 'https://nowhere.invalid/backbone-0123.pth'
    with pytest.raises(UserError, match='fetched .no network.*A file'):
        CheckpointLoader.load_checkpoint(address, 'cpu', logger='silent')
