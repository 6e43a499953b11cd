"""Files of torch.save: what is read, and which claims are refused."""

import argparse
import io
import pickle
import warnings
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch

from mmselfemd.errors import UserError, UserValueError
from mmselfemd.zoo import UnsafeCheckpointError, to_plain
from mmselfemd.zoo.loading import state_dict_of
from mmselfemd.zoo.torch_file import read_torch_file


def saved(content: object, **options) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(content, file, **options)
    file.seek(0)
    return file


def read(content: object, **options) -> object:
    return read_torch_file(saved(content, **options), 'a.pth')


def rewritten(content: object, change, packing=zipfile.ZIP_STORED):
    """A file whose pickle is changed."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(saved(content)) as old,
        zipfile.ZipFile(file, 'w', packing) as new,
    ):
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data) if 'data.pkl' in name else data)
    file.seek(0)
    return file


class Asks:
    """Pickled as a call of something."""

    def __init__(self, function, *args) -> None:
        self.reduced = function, args

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_tensors_are_read_as_torch_reads_them(zipped, protocol):
    base = torch.arange(24.0).view(2, 3, 4)
    tensors = dict(
        scalar=torch.tensor(3.0),
        empty=torch.zeros(0, 4),
        part=base[1:, ::2, 1:],
        turned=base.permute(2, 0, 1),
        channels_last=torch.randn(2, 3, 4, 5).to(
            memory_format=torch.channels_last
        ),
        half=torch.ones(3, dtype=torch.bfloat16),
        flags=torch.tensor([True, False]),
        parameter=torch.nn.Parameter(torch.ones(2)),
        complex=torch.ones(2, dtype=torch.complex64),
    )
    if zipped:
        tensors['unsigned'] = torch.ones(2, dtype=torch.uint16)
    loaded = read(
        tensors,
        _use_new_zipfile_serialization=zipped,
        pickle_protocol=protocol,
    )
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert torch.equal(loaded[name], tensor.detach()), name
        assert loaded[name].dtype == tensor.dtype
        assert loaded[name].stride() == tensor.stride()
        assert not loaded[name].requires_grad
    loaded['turned'][0, 0, 0] = -1
    loaded['part'].zero_()
    assert loaded['turned'][1, 1, 0] == 0  # one storage, as it was


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize(
    'make', [torch.Tensor, torch.nn.Parameter, torch.nn.Buffer]
)
def test_attributes_of_a_tensor_are_left(make, zipped):
    tensor = make(torch.arange(6.0).view(2, 3))
    tensor.note = 'x'
    content = dict(state_dict=dict(a=tensor, b=tensor))
    loaded = read(content, _use_new_zipfile_serialization=zipped)
    weights = state_dict_of(loaded, 'a.pth')
    assert weights['a'] is weights['b']
    assert type(weights['a']) is torch.Tensor
    assert torch.equal(weights['a'], tensor.detach())
    assert not hasattr(weights['a'], 'note')


@pytest.mark.parametrize('protocol', [2, 4])
def test_plain_values_are_read(protocol):
    state_dict = OrderedDict(a=1)
    state_dict._metadata = OrderedDict({'': dict(version=2)})
    content = dict(
        state_dict=state_dict,
        numbers=(1, -(2**70), 2.5, 1j, True, None),
        texts=['x', 'é', b'\xff', b'', bytearray(b'\xff'), bytearray()],
        sets=[{1, 2}, frozenset('x'), set()],
        milestones=Counter({3: 1}),
        torch=[torch.float16, torch.device('cuda', 1), torch.Size([1, 2])],
        numpy=[np.float32(0.5), np.int64(3), np.bool_(True), np.str_('x')],
    )
    loaded = read(content, pickle_protocol=protocol)
    assert loaded == content
    assert type(loaded['state_dict']) is OrderedDict
    assert loaded['state_dict']._metadata == state_dict._metadata
    assert type(loaded['milestones']) is Counter
    namespace = argparse.Namespace(arch='resnet50')  # PixPro's and SlotCon's
    assert read(namespace, pickle_protocol=protocol) == dict(arch='resnet50')


@pytest.mark.filterwarnings('ignore::UserWarning')
@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: torch.ones(1).expand(100), 'repeats'),
        (lambda: torch.ones(1, 3).expand(4, 3), 'repeats'),
        (lambda: torch.arange(9.0).unfold(0, 5, 1), 'repeats'),
        (lambda: torch.eye(3).to_sparse(), 'a sparse tensor'),
        (lambda: torch.eye(3).to_sparse_csr(), 'a sparse tensor'),
        (
            lambda: torch.quantize_per_tensor(
                torch.ones(3), 1.0, 0, torch.qint8
            ),
            'a quantised tensor',
        ),
        (lambda: torch.empty(100, device='meta'), 'without numbers'),
    ],
)
def test_tensors_that_claim_are_refused_by_name(make, message, zipped):
    content = dict(state_dict={'backbone.conv1.weight': make()})
    with pytest.raises(UnsafeCheckpointError) as error:
        read(content, _use_new_zipfile_serialization=zipped)
    text = str(error.value)
    assert text.startswith('a.pth is refused: ') and message in text
    assert 'state_dict.backbone.conv1.weight' in text


def test_shapes_are_those_of_the_storage():
    content = dict(a=torch.arange(100.0))
    length = b'K' + bytes([100])
    with pytest.raises(UnsafeCheckpointError, match='another length'):
        read_torch_file(
            rewritten(content, lambda d: d.replace(length, b'K\xc8')), 'a.pth'
        )

    def second(data: bytes) -> bytes:
        first, rest = data.split(length, 1)
        return first + length + rest.replace(length, b'K\xc8')

    with pytest.raises(UnsafeCheckpointError, match=r'\(200,\).*claims more'):
        read_torch_file(rewritten(content, second), 'a.pth')


def test_legacy_storages_are_those_of_the_file():
    file = saved(
        dict(a=torch.arange(100.0)), _use_new_zipfile_serialization=False
    ).getvalue()
    assert file.count(b'K' + bytes([100])) == 2
    more = file.replace(b'K' + bytes([100]), b'K\xc8')
    with pytest.raises(UnsafeCheckpointError, match='another length'):
        read_torch_file(io.BytesIO(more), 'a.pth')
    with pytest.raises(UserValueError, match='damaged'):
        read_torch_file(io.BytesIO(file[:-4]), 'a.pth')


@pytest.mark.parametrize(
    ('function', 'argument', 'name'),
    [
        (torch.FloatTensor, 10, 'torch.FloatTensor'),
        (torch.Tensor, 10, 'torch.Tensor'),
        (bytearray, 10, 'bytearray'),
        (print, 'x', 'builtins.print'),
        (np.zeros, 10, 'numpy.zeros'),
    ],
)
def test_only_stand_ins_are_called(function, argument, name, capsys):
    with pytest.raises(UnsafeCheckpointError, match=name):
        read(dict(meta=dict(x=Asks(function, argument))))
    assert not capsys.readouterr().out


def test_attributes_of_a_dict_are_left():
    asks = Asks(OrderedDict, [('a', torch.ones(1))])
    asks.reduced += (dict(items=5, keys=5),)
    assert state_dict_of(read(asks), 'a.pth').keys() == {'a'}


def test_packed_files_are_refused():
    content = dict(a=torch.zeros(1000))
    packed = rewritten(content, bytes, zipfile.ZIP_DEFLATED)
    with pytest.raises(UnsafeCheckpointError, match='unpack to more'):
        read_torch_file(packed, 'a.pth')
    plain = rewritten(content, bytes)
    with warnings.catch_warnings(), zipfile.ZipFile(plain, 'a') as archive:
        warnings.simplefilter('ignore')
        archive.writestr('archive/data.pkl', b'N.')
    plain.seek(0)
    with pytest.raises(UnsafeCheckpointError, match='two members'):
        read_torch_file(plain, 'a.pth')


def test_members_that_share_their_bytes_are_refused():
    """A directory may list the same bytes under many names."""
    file = rewritten(dict(a=torch.zeros(1000)), bytes)
    archive = zipfile.ZipFile(file, 'a')
    (storage,) = [i for i in archive.infolist() if '/data/' in i.filename]
    for index in range(3):
        alias = zipfile.ZipInfo(f'archive/data/{index + 1}')
        for name in ('header_offset', 'file_size', 'compress_size', 'CRC'):
            setattr(alias, name, getattr(storage, name))
        archive.filelist.append(alias)
    archive._didModify = True
    archive.close()
    file.seek(0)
    with pytest.raises(UnsafeCheckpointError, match='unpack to more'):
        read_torch_file(file, 'a.pth')


def test_a_directory_that_lies_about_what_is_stored_is_refused():
    """So much would be read, however short the file is."""
    file = rewritten(dict(a=torch.zeros(1000)), bytes)
    archive = zipfile.ZipFile(file, 'a')
    (storage,) = [i for i in archive.infolist() if '/data/' in i.filename]
    storage.compress_size *= 100
    archive._didModify = True
    archive.close()
    file.seek(0)
    with pytest.raises(UnsafeCheckpointError, match='unpack to more'):
        read_torch_file(file, 'a.pth')


def test_zip_of_nothing_is_damaged():
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('archive/data.pkl', b'N.')
        archive.filelist.clear()
    file.seek(0)
    with pytest.raises(ValueError, match=r'a\.pth is damaged'):
        read_torch_file(file, 'a.pth')


def test_memo_is_no_larger_than_its_pickle():
    file = saved(
        dict(a=torch.zeros(10000)), _use_new_zipfile_serialization=False
    ).getvalue()
    place = b'X\x01\0\0\0aq\x01'
    assert file.count(place) == 1
    far = file.replace(place, b'X\x01\0\0\0ar\0\x10\0\0')
    with pytest.raises(UnsafeCheckpointError, match='memo larger'):
        read_torch_file(io.BytesIO(far), 'a.pth')


def test_calls_that_share_an_argument_do_not_multiply_it():
    shared = [(number, number) for number in range(1000)]
    few = [Asks(OrderedDict, shared) for _ in range(2)]
    with pytest.raises(UnsafeCheckpointError, match='something else than'):
        read([Asks(OrderedDict, tuple(shared))])
    assert read(few) == [OrderedDict(shared)] * 2
    many = [Asks(OrderedDict, shared) for _ in range(1000)]
    with pytest.raises(UnsafeCheckpointError, match='as large as the file'):
        read(many)


def test_nesting_ends():
    nested = []
    for _ in range(200):
        nested = [nested]
    with pytest.raises(UnsafeCheckpointError, match='nested deeper'):
        read(dict(state_dict=nested))
    itself = []
    itself.append(itself)
    loaded = read(dict(x=itself))['x']
    assert loaded[0] is loaded
    chain = ([],)
    chain[0].append(chain)
    with pytest.raises(UnsafeCheckpointError, match='contains itself'):
        read(dict(x=chain))


def test_pickles_of_others_are_refused_or_named():
    with pytest.raises(UnsafeCheckpointError, match=r'builtins\.print'):
        read_torch_file(io.BytesIO(pickle.dumps(print, 2)), 'a.pth')
    with pytest.raises(ValueError, match='did not write'):
        read_torch_file(io.BytesIO(pickle.dumps([1], 2)), 'a.pth')


def test_device_is_a_device():
    file = saved(dict(a=torch.ones(1)))
    assert read_torch_file(file, '', 'meta')['a'].device.type == 'meta'
    with pytest.raises(UserError, match='expected a device'):
        read_torch_file(file, '', lambda storage, location: storage)


def test_what_is_written_can_be_read():
    """A buffer may be expanded in a model."""
    weights = dict(a=torch.ones(1, 3).expand(4, 3), b=torch.ones(2))
    plain = to_plain(weights)
    assert plain['b'] is weights['b']
    assert torch.equal(read(plain)['a'], torch.ones(4, 3))
