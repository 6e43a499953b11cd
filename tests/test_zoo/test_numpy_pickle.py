"""Pickles of arrays are read, everything else in a pickle is refused."""

import pickle

import numpy as np
import pytest
import torch

from mmselfemd.zoo import UnsafeCheckpointError
from mmselfemd.zoo.described_pickle import Call, parse_pickle
from mmselfemd.zoo.numpy_pickle import read_numpy_pickle

ARRAYS = {
    'float': np.arange(6, dtype=np.float32).reshape(2, 3),
    'fortran': np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    'int': np.array([3], dtype=np.int64),
    'empty': np.zeros((0, 2), dtype=np.float32),
    'big-endian': np.arange(3, dtype='>f4'),
    'unsigned': np.arange(3, dtype=np.uint16),
    'half': np.ones((2, 1, 2), dtype=np.float16),
    'flags': np.array([True, False]),
    'part': np.arange(12.0).reshape(3, 4)[::2, 1:],
    'single': np.array(2.5),
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
        native = array.astype(array.dtype.newbyteorder('='))
        assert torch.equal(read['model'][name], torch.tensor(native)), name
    assert (read['__author__'], read['scalar']) == ('x', 0.5)
    assert read['raw'] == b'\xff'


def test_strings_of_python_2(tmp_path):
    path = tmp_path / 'a.pkl'
    # {'conv1_w': 'é'} as Python 2 wrote it, with byte strings.
    path.write_bytes(b"(dp0\nS'conv1_w'\np1\nS'\\xe9'\np2\ns.")
    assert read_numpy_pickle(path) == dict(conv1_w='é')


def test_arrays_of_python_2(tmp_path):
    path = tmp_path / 'a.pkl'
    # {'x': array([1., 2.], dtype=float32)} as Python 2 wrote it.
    path.write_bytes(
        b"(dS'x'\ncnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\nt"
        b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x00\\x00\\x80?\\x00\\x00\\x00@'\ntbs."
    )
    assert read_numpy_pickle(path)['x'].tolist() == [1, 2]


@pytest.mark.parametrize('protocol', [0, 2, 4, 5])
@pytest.mark.parametrize(
    'array',
    [
        np.zeros(2, dtype=[('a', 'f4')]),
        np.zeros(2, dtype='M8[s]'),
        np.zeros(2, dtype=complex),
        np.zeros(2, dtype=np.longdouble),
        np.zeros(2, dtype='V3'),
        np.array(['a', 'b']),
        np.array([b'a', b'b']),
        np.array([None, 1]),
        np.longdouble(1),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path, protocol, array):
    path = tmp_path / 'a.pkl'
    path.write_bytes(pickle.dumps(dict(model=dict(x=array)), protocol))
    with pytest.raises(UnsafeCheckpointError, match=r'array of.*model\.x'):
        read_numpy_pickle(path)


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_shapes_are_those_of_the_bytes(tmp_path, protocol):
    path = tmp_path / 'a.pkl'
    content = pickle.dumps(dict(x=np.zeros((3, 100), np.uint8)), protocol)
    shape = b'K\x03K' + bytes([100])
    assert content.count(shape) == 1
    for claimed in (b'K\x03K\x65', b'K\x02K\x64', b'K\x04K\x64'):
        path.write_bytes(content.replace(shape, claimed))
        with pytest.raises(UnsafeCheckpointError, match='another size'):
            read_numpy_pickle(path)


class FromBuffer:
    def __init__(self, data):
        self.data = data

    def __reduce__(self):
        args = self.data, np.dtype('u1'), (len(self.data),), 'C'
        core = np.core if np.__version__ < '2' else np._core
        return core.numeric._frombuffer, args


def test_arrays_of_the_same_bytes_do_not_multiply_them(tmp_path):
    data, path = bytes(10000), tmp_path / 'a.pkl'
    for count in (2, 500):
        arrays = {str(index): FromBuffer(data) for index in range(count)}
        path.write_bytes(pickle.dumps(arrays, 5))
        assert path.stat().st_size < 100000
        if count == 2:
            assert len(read_numpy_pickle(path)) == 2
        else:
            with pytest.raises(UnsafeCheckpointError, match='many times'):
                read_numpy_pickle(path)


@pytest.mark.parametrize(
    ('program', 'message'),
    [
        # A tuple in a tuple and so on, as a key.
        (b'\x80\x02})' + b'\x85' * 200 + b'Ns.', 'nested deeper'),
        # A place in the memo for which pickle would take memory.
        (b'\x80\x02}r\x00\x10\x00\x00.', 'memo larger'),
        # An instruction across the end of a frame.
        (b'\x80\x04\x95\x02\0\0\0\0\0\0\0}K\x01\x86.', 'frames'),
        (b'\x80\x02}\x82\x01.', 'extension'),
    ],
)
def test_instructions_are_checked_before_they_run(tmp_path, program, message):
    path = tmp_path / 'a.pkl'
    path.write_bytes(program)
    with pytest.raises(UnsafeCheckpointError, match=message):
        read_numpy_pickle(path)


def test_names_are_written_down_and_not_imported():
    call = parse_pickle(b'cno.such\nmodule\n(I1\ntR}b.').value
    assert isinstance(call, Call)
    assert (call.name, call.args, call.state) == ('no.such.module', (1,), {})


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
        (b'', 'empty'),
        (b'<html>', 'web page'),
        (b'x', 'damaged'),
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


@pytest.mark.parametrize(
    ('program', 'message'),
    [
        # Each name takes a class, and so does what it returns.
        (b''.join(b'ca\n%x\n' % number for number in range(1001)), '1000 nam'),
        (b'\x8f' * 1001, '1000 sets'),
        (b'(\x91' * 1001, '1000 sets'),
    ],
)
def test_what_takes_hundreds_of_times_its_bytes_is_counted(
    tmp_path, program, message
):
    path = tmp_path / 'a.pkl'
    path.write_bytes(b'\x80\x04(' + program + b'l.')
    with pytest.raises(UnsafeCheckpointError, match=f'over {message}'):
        read_numpy_pickle(path)


def test_calls_of_what_calls_return_are_of_one_class():
    calls = parse_pickle(b'ca\nb\n' + b'(tR' * 50 + b'.').value
    assert calls.name == 'a.b(...)'
