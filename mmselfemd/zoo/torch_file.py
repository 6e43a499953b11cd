"""Files of ``torch.save``, in both of its formats, read as plain numbers.

``torch.load(weights_only=True)`` runs no code of a file, but it makes tensors
of any size that a few bytes claim (expanded, sparse, not initialised), and
what it checks depends on torch's version. Here a tensor is a view of bytes
that are in the file, or it is refused.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from mmselfemd.errors import UserValueError

from .described_pickle import (
    PERSISTENT_ID,
    PLAIN_CALLS,
    Builder,
    Call,
    Description,
    parse_pickle,
)
from .file_format import START, check_format
from .numpy_pickle import NUMPY_CALLS, NUMPY_VALUES
from .refusal import Refusal, reading
from .training_state import build_checkpoint

__all__ = ['read_torch_file']

# torch/serialization.py
_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001

_STORAGES = dict(
    Double=torch.float64,
    Float=torch.float32,
    Half=torch.float16,
    BFloat16=torch.bfloat16,
    ComplexDouble=torch.complex128,
    ComplexFloat=torch.complex64,
    Long=torch.int64,
    Int=torch.int32,
    Short=torch.int16,
    Char=torch.int8,
    Byte=torch.uint8,
    Bool=torch.bool,
)
_LATER_DTYPES = ('uint16', 'uint32', 'uint64', 'float8_e4m3fn', 'float8_e5m2')
_VALUES = {
    **NUMPY_VALUES,
    **{f'torch.{name}Storage': dtype for name, dtype in _STORAGES.items()},
    'torch.storage.UntypedStorage': torch.uint8,
    'torch.Tensor': None,  # the class of a tensor that has attributes
    **{str(dtype): dtype for dtype in _STORAGES.values()},
    **{
        f'torch.{name}': getattr(torch, name)
        for name in _LATER_DTYPES
        if hasattr(torch, name)
    },
}
_WORDS = {
    f'torch._utils._rebuild_{name}': words
    for name, words in dict(
        sparse_tensor='a sparse tensor',
        qtensor='a quantised tensor',
        nested_tensor='a nested tensor',
        meta_tensor_no_storage='a tensor without numbers (meta)',
    ).items()
}


def read_torch_file(
    file: str | Path | io.IOBase,
    source: str,
    map_location: str | torch.device | None = None,
) -> object:
    """Read what ``torch.save`` wrote, without running code of it.

    Args:
        file (str or Path or file-like): The file, or its content, seekable.
        source (str): Its name, for the error.
        map_location (str or torch.device, optional): Where all tensors go.
            Defaults to None: to the CPU.

    Returns:
        object: Tensors, which have no gradient, numbers, strings and
        containers. What shares storage in the file does so here. A
        checkpoint whose training state holds more lacks that, with a warning.

    Raises:
        UnsafeCheckpointError: If the file holds more, or claims more numbers
            than it has.
        UserValueError: If it is damaged, or no such file.
        RuntimeError: torch's own, if this host lacks the device.
    """
    if isinstance(file, (str, Path)):
        with reading(source), open(file, 'rb') as opened:
            return read_torch_file(opened, source, map_location)
    if not isinstance(map_location, (str, torch.device, type(None))):
        raise UserValueError(
            f'map_location={map_location!r}: expected a device.'
        )
    device = torch.empty(0, device=map_location or 'cpu').device
    with reading(source):
        start = file.read(START)
        # A pickle of another kind is refused by the names that are in it.
        check_format(start, ('zip', 'legacy', 'pickle'), source)
        file.seek(0)
        if start.startswith(b'PK'):
            return _read_zip(file, device, source)
        return _read_legacy(file, device, source)


def _read_zip(file: io.IOBase, device: torch.device, source: str) -> object:
    """Read the format of torch >= 1.6: a pickle and one member a storage."""
    size = file.seek(0, io.SEEK_END)
    archive = zipfile.ZipFile(file)
    members = {info.filename: info for info in archive.infolist()}
    if len(members) < len(archive.infolist()):
        raise Refusal('two members of one name')
    root = next(iter(members), '').split('/')[0]
    if f'{root}/constants.pkl' in members:
        raise Refusal('a program (TorchScript)')
    # torch stores them as they are; what is packed may unpack to anything.
    stored = sum(info.file_size for info in members.values())
    if stored > size or any(
        info.compress_type != zipfile.ZIP_STORED
        or info.compress_size != info.file_size  # so much would be read
        for info in members.values()
    ):
        raise Refusal('members that unpack to more than the file')
    order = f'{root}/byteorder'
    if order in members and archive.read(order) != b'little':
        raise Refusal('numbers in big-endian order')
    described = parse_pickle(archive.read(f'{root}/data.pkl'))
    return _build(
        described,
        lambda key: archive.read(f'{root}/data/{key}'),
        device,
        source,
    )


def _read_legacy(file: io.IOBase, device: torch.device, source: str) -> object:
    """Read the older format: five pickles, then the storages in a row."""
    content, position, parts = file.read(), 0, []
    for expected in (_MAGIC_NUMBER, _PROTOCOL_VERSION, None, None, None):
        described = parse_pickle(content, position)
        if expected not in (None, described.value):
            _build(
                described, {}.__getitem__, device, source
            )  # refused by its names
            check_format(content[:START], ('legacy',), source)
            raise ValueError('a pickle that torch.save did not write')
        parts.append(described)
        position += described.size
    _, _, system, described, keys = parts
    if not system.value['little_endian']:
        raise Refusal('numbers in big-endian order')
    widths = {
        key: dtype.itemsize
        for _, kind, key, *_ in described.persistent_ids
        if (dtype := _VALUES.get(kind.name)) is not None
    }
    records = {}
    for key in keys.value:
        if key not in widths:
            break  # of a kind of tensor that is refused below
        (count,) = struct.unpack_from('<q', content, position)
        position += struct.calcsize('<q')
        end = position + count * widths[key]
        if not position <= end <= len(content):
            raise EOFError('a storage ends behind the file')
        records[key] = content[position:end]
        position = end
    return _build(described, records.__getitem__, device, source)


def _build(
    described: Description,
    record: Callable[[str], bytes],
    device: torch.device,
    source: str,
) -> object:
    calls = {
        **PLAIN_CALLS,
        **NUMPY_CALLS,
        'torch.Size': lambda call: torch.Size(*call.args),
        'torch.device': lambda call: torch.device(*call.args),
        **_TENSORS,
        'torch._utils._rebuild_parameter': _parameter,
        'torch._utils._rebuild_parameter_with_state': _parameter,
        'torch._tensor._rebuild_from_type_v2': _with_attributes,
        PERSISTENT_ID: _Storages(record, device),
    }
    values = {**_VALUES, **{name: name for name in _TENSORS}}
    builder = Builder(calls, values, described.size, _WORDS)
    return build_checkpoint(builder, described.value, source)


class _Storages:
    """Gives the storages that persistent ids name, each once.

    Args:
        record (Callable[[str], bytes]): Gives the bytes of one by its key.
        device (torch.device): Where they go.
    """

    def __init__(
        self, record: Callable[[str], bytes], device: torch.device
    ) -> None:
        self._record, self._device = record, device
        self._read: dict[str, Tensor] = {}

    def __call__(self, call: Call) -> Tensor:
        """Give a storage as a flat tensor.

        Args:
            call (Call): Its argument is 'storage', the type, the key, the
                location and the number of elements; in the older format also
                what it is a part of, which is None since torch 0.4.
        """
        kind, dtype, key, _, length, *part = call.args[0]
        if kind != 'storage' or part not in ([], [None]):
            raise Refusal('a persistent id that is no storage')
        if key not in self._read:
            record = bytearray(self._record(key))
            empty = torch.empty(0, dtype=torch.uint8)
            self._read[key] = (
                torch.frombuffer(record, dtype=torch.uint8)
                if record
                else empty
            ).to(self._device)
        flat = self._read[key]
        if length * dtype.itemsize != flat.numel():
            raise Refusal('a storage of another length than it claims')
        return flat.view(dtype)


def _tensor(call: Call) -> Tensor:
    storage, offset, size, stride, *_ = call.args
    return _view(storage, offset, size, stride)


def _tensor_of_type(call: Call) -> Tensor:
    storage, offset, size, stride, _, _, dtype, *_ = call.args
    return _view(storage.view(dtype), offset, size, stride)


def _parameter(call: Call) -> Tensor:
    if not isinstance(call.args[0], Tensor):
        raise Refusal('a parameter of something else than a tensor')
    return call.args[0]


_TENSORS = {
    'torch._utils._rebuild_tensor': _tensor,
    'torch._utils._rebuild_tensor_v2': _tensor,
    'torch._utils._rebuild_tensor_v3': _tensor_of_type,
}


def _with_attributes(call: Call) -> Tensor:
    function, _, args, _ = call.args
    if not isinstance(args, tuple):
        raise Refusal('a tensor of something else than its arguments')
    return _TENSORS[function](Call(*args))


def _view(storage: Tensor, offset: int, size: tuple, stride: tuple) -> Tensor:
    """View a storage as a tensor each of whose numbers has its own place."""
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(
        type(number) is int and 0 <= number < 2**63 for number in numbers
    ):
        raise Refusal('a tensor of an impossible shape')
    reach = 0 if 0 in size else 1  # the largest index so far, and 1
    for step, length in sorted(zip(stride, size, strict=True)):
        if reach and length > 1:
            if step < reach:
                raise Refusal(
                    f'a tensor of shape {tuple(size)} that repeats numbers '
                    'of the file instead of having its own (expanded)'
                )
            reach += step * (length - 1)
    if offset + reach > storage.numel():
        raise Refusal(
            f'a tensor of shape {tuple(size)} that claims more numbers than '
            f'the {storage.numel()} of its storage'
        )
    return storage.as_strided(size, stride, offset)
