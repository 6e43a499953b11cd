"""Plain values."""

import enum
from collections import OrderedDict, defaultdict, namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from torch import nn

from mmselfemd.zoo.saving import to_plain

Pair = namedtuple('Pair', 'a b')


class Colour(str, enum.Enum):
    RED = 'red'


class Number(enum.IntEnum):
    ONE = 1


def round_trip(value, path: Path):
    torch.save(dict(value=value), path)
    return torch.load(path, weights_only=True)['value']


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.longdouble(0.25), 0.25),
        (np.clongdouble(2j), 2j),
        (np.str_('x'), 'x'),
        (Path('a'), 'a'),
        (Colour.RED, 'red'),
        (Number.ONE, 1),
        (Pair(1, np.int8(2)), (1, 2)),
        (ConfigDict(a=dict(b=[1])), dict(a=dict(b=[1]))),
        (defaultdict(int, {np.int64(4): 5}), {4: 5}),
        ({1, 2}, {1, 2}),
        (frozenset([1]), (1,)),
        ({frozenset([1]): 2}, {(1,): 2}),
        ({frozenset([1])}, {(1,)}),
        (b'x', b'x'),
        (None, None),
        (dict(keep=1, drop=len), dict(keep=1)),
        ([1, len, 2], [1, None, 2]),
        (np.array(['a', 'b']), ['a', 'b']),
        (torch.float16, torch.float16),
        (torch.Size([1, 2]), (1, 2)),
    ],
)
def test_plain_values(tmp_path, value, expected):
    plain = round_trip(to_plain(value), tmp_path / 'x.pth')
    assert plain == expected
    if not isinstance(expected, torch.dtype):
        assert type(to_plain(value)) in (type(expected), torch.Size)


@pytest.mark.parametrize(
    'dtype', ['u1', 'i4', 'f2', 'f8', '?', 'u4', 'u8', '>f4', '>i8']
)
def test_arrays_become_tensors(tmp_path, dtype):
    array = np.array([[0, 1], [1, 0]], dtype=dtype)
    tensor = round_trip(to_plain(array), tmp_path / 'x.pth')
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_history_buffer_keeps_its_numbers(tmp_path):
    buffer = HistoryBuffer([1 / 3, 2.0], [1, 4], max_length=5)
    plain = round_trip(to_plain(buffer), tmp_path / 'x.pth')
    assert plain['log_history'].tolist() == [1 / 3, 2.0]
    assert plain['count_history'].tolist() == [1, 4]
    assert plain['max_length'] == 5


def test_state_dict_keeps_tensors_order_and_versions():
    state = nn.Sequential(nn.BatchNorm2d(2), nn.Linear(1, 1)).state_dict()
    plain = to_plain(state)
    assert type(plain) is OrderedDict and list(plain) == list(state)
    assert all(plain[name] is state[name] for name in state)
    assert plain._metadata == state._metadata


def test_input_is_left_alone():
    value = dict(a=[np.int64(1)], b=len)
    to_plain(value)
    assert value == dict(a=[np.int64(1)], b=len)
    assert type(value['a'][0]) is np.int64
