"""Backbones in safetensors files: tensors, and our ``meta`` as JSON."""

import json
from pathlib import Path
from types import ModuleType

from torch import Tensor

from mmselfemd.errors import UserError, UserValueError

from .file_format import START, check_format
from .refusal import reading

__all__ = ['read_safetensors', 'safetensors_bytes']

#: The entry of a safetensors file's metadata that holds our ``meta``.
_META = 'mmselfemd_meta'


def _library() -> ModuleType:
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
    with reading(str(path)), open(path, 'rb') as file:
        check_format(file.read(START), ('safetensors',), str(path))
    try:
        with library.safe_open(str(path), framework='pt') as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}
            meta = (file.metadata() or {}).get(_META, '{}')
    except library.SafetensorError as error:
        raise UserValueError(
            f'{path} is damaged, incomplete or not a safetensors file. '
            'Download or copy it again.'
        ) from error
    return dict(state_dict=weights, meta=_read_meta(meta, path))


def _read_meta(text: str, path: str | Path) -> dict:
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserValueError(
            f'{path}: its metadata {_META!r} is no JSON '
            f'({type(error).__name__}).'
        ) from error
    if not isinstance(meta, dict):
        raise UserValueError(f'{path}: its metadata {_META!r} is no object.')
    return meta


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
