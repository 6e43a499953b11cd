"""Pickles of numpy arrays, such as Detectron2's, read without running code."""

import io
import pickle
from pathlib import Path

import numpy as np
import torch

from mmselfemd.errors import UserFileNotFoundError, UserValueError

from .loading import UnsafeCheckpointError

__all__ = ['read_numpy_pickle']


# What arrays are pickled with, over the protocols of pickle. numpy renamed
# `core` in version 2; files carry either name.
_HARMLESS = {
    ('numpy', 'ndarray'): np.ndarray,
    ('numpy', 'dtype'): np.dtype,
    ('_codecs', 'encode'): str.encode,
    ('__builtin__', 'bytes'): bytes,
    **{
        (f'numpy.{core}.{module}', name): getattr(
            getattr(np.core, module), name
        )
        for core in ('core', '_core')
        for module, name in (
            ('multiarray', '_reconstruct'),
            ('multiarray', 'scalar'),
            ('numeric', '_frombuffer'),
        )
    },
}


class _Refused(Exception):
    """A pickle asks for a callable that is not in the list."""


class _NumpyUnpickler(pickle.Unpickler):
    """Builds numbers, strings, containers and numpy arrays, nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """Refuse every callable but those of numpy's arrays."""
        if (module, name) not in _HARMLESS:
            raise _Refused(f'{module}.{name}')
        return _HARMLESS[module, name]


def read_numpy_pickle(path: str | Path) -> dict:
    """Read a pickle of numpy arrays, such as Detectron2's ``.pkl``.

    Args:
        path (str or Path): The file.

    Returns:
        dict: Its content, every array as a tensor.

    Raises:
        FileNotFoundError: If there is no such file.
        UnsafeCheckpointError: If it holds more than arrays, numbers, strings
            and containers.
        ValueError: If it is no pickle of a dict.
    """
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UserFileNotFoundError(
            f'{path}: there is no such file.'
        ) from error
    try:
        # Caffe2's files were pickled by Python 2.
        loaded = _NumpyUnpickler(io.BytesIO(content), encoding='latin1').load()
    except _Refused as error:
        raise UnsafeCheckpointError(
            f'{path} is refused: it holds {error}. Only arrays, numbers, '
            'strings and containers are read from a pickle; the rest could '
            'run code.'
        ) from None
    except Exception as error:  # whatever stray bytes make of the parser
        raise UserValueError(
            f'{path} is damaged, incomplete or no pickle '
            f'({type(error).__name__}).'
        ) from error
    if not isinstance(loaded, dict):
        raise UserValueError(f'{path} holds no dict of named arrays.')
    return _tensors(loaded)


def _tensors(value: object) -> object:
    if isinstance(value, dict):
        return {name: _tensors(item) for name, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype != object:
        return torch.from_numpy(np.array(value))
    return value
