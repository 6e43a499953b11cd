"""Writing checkpoints that are plain inside, and whole on disk.

Plain: :func:`to_plain` leaves tensors, numbers, strings and containers, so
``torch.load(weights_only=True)`` reads the file with nothing allow-listed,
anywhere, without this package. Whole: a file appears under its name only
when every byte of it is on the disk.
"""

import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from mmengine.fileio import LocalBackend, register_backend
from mmengine.logging import HistoryBuffer, print_log

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserError, UserFileExistsError

__all__ = [
    'AtomicLocalBackend',
    'NotWrittenError',
    'check_replaceable',
    'to_plain',
]

_DROPPED = object()
_PLAIN = (torch.Size, torch.device, torch.dtype)
_EXACT = (type(None), bool, int, float, complex, str, bytes, bytearray)


def to_plain(value: object, path: str = 'checkpoint') -> object:
    """Rewrite a value with tensors, numbers, strings and containers only.

    Numpy scalars become Python numbers, arrays tensors, a
    :class:`mmengine.logging.HistoryBuffer` a dict of its fields, paths
    strings, frozen sets tuples, which may be keys and members of sets, too,
    and subclasses of the basic types (``ConfigDict``, named tuples,
    enumerations) the basic type. What has no plain form, a function for
    instance, is left out of its dict, or is ``None`` in its list, with a
    warning: a run must not fail while it saves.

    Args:
        value (object): The value, nested to any depth.
        path (str): Where it sits in the checkpoint, for the warning.
            Defaults to 'checkpoint'.

    Returns:
        object: The plain value. Tensors are shared unless they are
        expanded, containers are new.
    """
    plain = _to_plain(value, path)
    return None if plain is _DROPPED else plain


def _to_plain(value: object, path: str) -> object:
    if isinstance(value, torch.Tensor):
        # An expanded one is saved with numbers that it repeats, which the
        # reader takes for a claim of more than there are.
        return value.contiguous() if _repeats(value) else value
    if type(value) in _EXACT or isinstance(value, _PLAIN):
        return value
    if isinstance(value, Mapping):
        return _plain_mapping(value, path)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [
            to_plain(item, f'{path}[{index}]')
            for index, item in enumerate(value)
        ]
        if isinstance(value, set):
            return set(items)
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, HistoryBuffer):
        logs, counts = value.data
        return dict(
            log_history=torch.from_numpy(np.array(logs, dtype=np.float64)),
            count_history=torch.from_numpy(np.array(counts, dtype=np.int64)),
            max_length=value.max_length,
        )
    if isinstance(value, np.generic):
        for kind, basic in ((np.longdouble, float), (np.clongdouble, complex)):
            if isinstance(value, kind):  # its item() is one, too
                return basic(value)
        return _to_plain(value.item(), path)
    if isinstance(value, np.ndarray):
        try:
            # torch knows the byte order of this machine alone.
            native = value.astype(value.dtype.newbyteorder('='), order='C')
            return torch.from_numpy(native)
        except TypeError:  # strings, objects
            return to_plain(value.tolist(), path)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, str):
        return str.__str__(value)  # an enumeration's `str()` is its name
    for basic in (int, float, complex, bytes):
        if isinstance(value, basic):
            return basic(value)
    print_log(
        f'{path} is not saved: {type(value).__name__} has no plain form, and '
        'a checkpoint that holds Python objects runs code when it is loaded.',
        logger='current',
        level=logging.WARNING,
    )
    return _DROPPED


def _repeats(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided and any(
        step == 0 and length > 1
        for step, length in zip(tensor.stride(), tensor.shape, strict=True)
    )


def _plain_mapping(mapping: Mapping, path: str) -> dict:
    plain = OrderedDict() if isinstance(mapping, OrderedDict) else {}
    for key, value in mapping.items():
        value = _to_plain(value, f'{path}.{key}')
        if value is not _DROPPED:
            plain[to_plain(key, f'{path} key')] = value
    # The versions of a state dict's modules travel as an attribute.
    if hasattr(mapping, '_metadata') and isinstance(mapping, OrderedDict):
        plain._metadata = to_plain(mapping._metadata, f'{path}._metadata')
    return plain


class NotWrittenError(UserError, OSError):
    """A file could not be written."""


def check_replaceable(path: Path, force: bool) -> None:
    """Refuse to write over a file unasked.

    Args:
        path (Path): The file to write.
        force (bool): Whether it may be replaced.

    Raises:
        FileExistsError: If it exists and may not be.
    """
    if path.exists() and not force:
        raise UserFileExistsError(
            f'{path} exists. Name another file, or replace it with --force.'
        )


class AtomicLocalBackend(LocalBackend):
    """mmengine's local file backend with :func:`atomic_write` beneath.

    ``backend_args=dict(backend='mmselfemd_atomic')`` selects it wherever
    mmengine takes ``backend_args``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write bytes to a file, whole or not at all.

        Args:
            obj (bytes): The content.
            filepath (str or Path): The file.

        Raises:
            NotWrittenError: If the disk is full, gone or read-only. What was
                under the name before is as it was.
        """
        try:
            with atomic_write(filepath) as file:
                file.write(obj)
        except OSError as error:
            folder = Path(filepath).parent
            raise NotWrittenError(
                f'Cannot write {filepath}, {len(obj) / 1e6:.1f} MB: '
                f'{error.strerror or error}{_free_space(folder)}. What was '
                'saved before is as it was: make room, or mend the disk, and '
                'go on with --resume.'
            ) from error

    def put_text(
        self, obj: str, filepath: str | Path, encoding: str = 'utf-8'
    ) -> None:
        """Write text to a file, whole or not at all."""
        self.put(obj.encode(encoding), filepath)


def _free_space(folder: Path) -> str:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return ''
    return f'; {free / 1e6:.1f} MB are free there'


register_backend('mmselfemd_atomic', AtomicLocalBackend, force=True)
