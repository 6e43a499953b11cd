"""Pickles of arrays are read, everything else in a pickle is refused."""

import pickle

import numpy as np
import pytest
import torch

from mmselfemd.zoo import UnsafeCheckpointError
from mmselfemd.zoo.numpy_pickle import read_numpy_pickle

ARRAYS = {
    'float': np.arange(6, dtype=np.float32).reshape(2, 3),
    'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    'int': np.array([3], dtype=np.int64),
    'empty': np.zeros((0, 2), dtype=np.float32),
}


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(tmp_path, protocol):
    content = dict(
        model=ARRAYS, __author__='x', scalar=np.float32(0.5), raw=b'\xff'
    )
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(content, protocol))
    read = read_numpy_pickle(path)
    assert read['model'].keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert torch.equal(read['model'][name], torch.tensor(array))
    assert (read['__author__'], read['scalar']) == ('x', 0.5)
    assert read['raw'] == b'\xff'


def test_strings_of_python_2(tmp_path):
    path = tmp_path / 'a.pkl'
    # {'conv1_w': 'é'} as Python 2 wrote it, with byte strings.
    path.write_bytes(b"(dp0\nS'conv1_w'\np1\nS'\\xe9'\np2\ns.")
    assert read_numpy_pickle(path) == dict(conv1_w='é')


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return self.path.touch, ()


@pytest.mark.parametrize('protocol', [0, 2, 5])
@pytest.mark.parametrize('nested', [True, False])
def test_code_is_refused(tmp_path, protocol, nested):
    bomb = Bomb(tmp_path / 'exploded')
    value = np.array([bomb], dtype=object) if nested else bomb
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(dict(a=value), protocol))
    with pytest.raises(UnsafeCheckpointError, match=r'a\.pkl is refused'):
        read_numpy_pickle(path)
    assert not (tmp_path / 'exploded').exists()
    pickle.loads(path.read_bytes())
    assert (tmp_path / 'exploded').exists()  # it is what it is said to be


@pytest.mark.parametrize(
    'call',
    [
        b'cbuiltins\neval\n(V1+1\ntR.',
        b'cos\nsystem\n(Vtrue\ntR.',
        b'cnumpy\nload\n(Vx\ntR.',
        b'cnumpy.core.multiarray\nfromfile\n(Vx\ntR.',
    ],
)
def test_callables_are_refused_by_name(tmp_path, call):
    path = tmp_path / 'a.pkl'
    path.write_bytes(call)
    name = b'.'.join(call[1:].split(b'\n')[:2]).decode()
    with pytest.raises(UnsafeCheckpointError, match=name):
        read_numpy_pickle(path)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'damaged'),
        (b'<html>', 'damaged'),
        (pickle.dumps(ARRAYS)[:-20], 'damaged'),
        (pickle.dumps([1]), 'no dict'),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'a\.pkl.*{message}'):
        read_numpy_pickle(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='there is no such file'):
        read_numpy_pickle(tmp_path / 'none.pkl')
