"""Files of other projects that mmengine does not read: safetensors, pickles.

Neither reader runs code of the file.
"""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmselfemd.errors import UserError, UserFileNotFoundError, UserValueError

from .loading import UnsafeCheckpointError

__all__ = ['read_numpy_pickle', 'read_safetensors', 'safetensors_bytes']

#: The entry of a safetensors file's metadata that holds our ``meta``.
_META = 'mmselfemd_meta'


class _NumpyUnpickler(pickle.Unpickler):
    """Builds numbers, strings, containers and numpy arrays, nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """Refuse every callable but those of numpy's arrays."""
        if (module, name) in (('numpy', 'ndarray'), ('numpy', 'dtype')):
            return getattr(np, name)
        if name in ('_reconstruct', 'scalar') and module in (
            'numpy.core.multiarray',
            'numpy._core.multiarray',
        ):
            return getattr(np.core.multiarray, name)
        if (module, name) == ('_codecs', 'encode'):  # bytes, in old protocols
            return str.encode
        raise pickle.UnpicklingError(f'{module}.{name}')


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
        raise UserFileNotFoundError(f'{path}: there is no such file.') from (
            error
        )
    try:
        # Caffe2's files were pickled by Python 2.
        loaded = _NumpyUnpickler(io.BytesIO(content), encoding='latin1').load()
    except pickle.UnpicklingError as error:
        raise UnsafeCheckpointError(
            f'{path} is refused ({error}): only arrays, numbers, strings and '
            'containers are read from a pickle; the rest could run code.'
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


def _library():
    try:
        import safetensors.torch
    except ImportError as error:
        raise UserError(
            'Files that end with .safetensors need the package safetensors: '
            'pip install safetensors'
        ) from error
    return safetensors


def read_safetensors(path: str | Path) -> dict:
    """Read a safetensors file.

    Args:
        path (str or Path): The file.

    Returns:
        dict: ``state_dict`` and, where this package wrote it, ``meta``.

    Raises:
        UserError: If the package safetensors is not installed.
        ValueError: If it is no such file.
    """
    library = _library()
    try:
        with library.safe_open(str(path), framework='pt') as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}
            meta = (file.metadata() or {}).get(_META, '{}')
    except library.SafetensorError as error:
        raise UserValueError(
            f'{path} is damaged, incomplete or not a safetensors file.'
        ) from error
    return dict(state_dict=weights, meta=json.loads(meta))


def safetensors_bytes(weights: dict[str, Tensor], meta: dict) -> bytes:
    """Serialise weights as a safetensors file.

    Args:
        weights (dict[str, Tensor]): Names and tensors.
        meta (dict): What :func:`read_safetensors` gives back; JSON's types.

    Returns:
        bytes: The content of the file.

    Raises:
        UserError: If the package safetensors is not installed.
    """
    return _library().torch.save(
        {name: value.contiguous() for name, value in weights.items()},
        metadata={_META: json.dumps(meta), 'format': 'pt'},
    )
