"""Pickles of numpy arrays, such as Detectron2's, read without running code."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmselfemd.errors import UserFileNotFoundError, UserValueError

from .described_pickle import PLAIN_CALLS, Builder, Call, parse_pickle
from .file_format import START, check_format
from .refusal import Refusal, reading

__all__ = ['NUMPY_CALLS', 'NUMPY_VALUES', 'read_numpy_pickle']

# Booleans, integers and floats of 1 to 8 bytes; text, for scalars alone.
_KNOWN_DTYPES = re.compile(r'b1|[iu][1248]|f[248]|U[1-9]\d{0,3}')


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
        with reading(str(path)):
            content = Path(path).read_bytes()
            check_format(content[:START], ('pickle',), str(path))
            described = parse_pickle(content)
            calls = {**PLAIN_CALLS, **_calls(torch.from_numpy)}
            builder = Builder(calls, NUMPY_VALUES, described.size)
            loaded = builder.build(described.value)
    except FileNotFoundError as error:
        raise UserFileNotFoundError(
            f'{path}: there is no such file.'
        ) from error
    if not isinstance(loaded, dict):
        raise UserValueError(f'{path} holds no dict of named arrays.')
    return loaded


def _dtype(call: Call) -> np.dtype:
    """Stand in for ``numpy.dtype`` and its state."""
    code, order = str(call.args[0]), '='
    if call.state is not None:
        _, order, *parts = call.state
        if any(part is not None for part in parts[:3]):
            raise Refusal('an array of records')
    if not _KNOWN_DTYPES.fullmatch(code) or order not in ('<', '>', '=', '|'):
        raise Refusal('an array of something else than numbers')
    return np.dtype(code if order == '|' else order + code)


def _array(
    data: object, dtype: object, shape: object, order: str = 'C'
) -> np.ndarray:
    """Make an array of the bytes that are there, and of no others."""
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode('latin1')
    if not (
        isinstance(data, (bytes, bytearray))
        and isinstance(dtype, np.dtype)
        and isinstance(shape, tuple)
        and all(type(length) is int and length >= 0 for length in shape)
        and math.prod(shape) * dtype.itemsize == len(data)
    ):
        raise Refusal('an array of another size than its bytes')
    array = np.frombuffer(data, dtype).reshape(shape, order=order)
    return array.astype(dtype.newbyteorder('='))  # a copy


def _scalar(call: Call) -> np.generic:
    """Stand in for ``numpy.core.multiarray.scalar``."""
    dtype, data = call.args
    return _array(data, dtype, ())[()]


def _reconstruct(call: Call) -> np.ndarray:
    """Stand in for ``numpy.core.multiarray._reconstruct`` and the state."""
    _, shape, dtype, is_fortran, data = call.state
    return _numbers(_array(data, dtype, shape, 'F' if is_fortran else 'C'))


def _from_buffer(call: Call) -> np.ndarray:
    """Stand in for ``numpy.core.numeric._frombuffer`` of protocol 5."""
    return _numbers(_array(*call.args))


def _numbers(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == 'U':
        raise Refusal('an array of text')
    return array


def _calls(finish: Callable[[np.ndarray], object]) -> dict:
    """What arrays are pickled with, over the protocols of pickle."""
    return {
        'numpy.dtype': _dtype,
        'numpy.core.multiarray.scalar': _scalar,
        'numpy.core.multiarray._reconstruct': lambda call: finish(
            _reconstruct(call)
        ),
        'numpy.core.numeric._frombuffer': lambda call: finish(
            _from_buffer(call)
        ),
    }


#: The functions that stand in for numpy's. numpy 2 renamed ``core`` to
#: ``_core``, which is read as ``core``.
NUMPY_CALLS = _calls(lambda array: array)
#: The class, which `_reconstruct` is given, has no use here.
NUMPY_VALUES: dict[str, object] = {'numpy.ndarray': None}
