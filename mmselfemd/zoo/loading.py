"""Reading checkpoints without running what is inside them.

A pickle is a program. mmengine 0.10.7 opens local files by ``torch.load``,
whose default is weights-only since torch 2.6 alone, and files from a URL
through ``torch.hub``, which is not weights-only; onedl-mmengine tries weights
only and, where torch refuses, runs what is inside after all. Importing this
module puts every scheme of mmengine's ``CheckpointLoader`` behind one guard,
whose refusals are none of torch's.
"""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from unittest import mock
from urllib.error import URLError

import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import (
    UserError,
    UserFileNotFoundError,
    UserValueError,
)

from .refusal import UnsafeCheckpointError
from .safetensors_file import read_safetensors
from .torch_file import read_torch_file

__all__ = [
    'UnsafeCheckpointError',
    'check_finite',
    'state_dict_of',
    'weights_only',
]

#: How many times as large as the numbers in its file weights may be: those
#: that layers share occur under the name of each.
_MOST_SHARED = 16
_REAL = {
    getattr(torch, name)
    for name in (
        *('bool', 'uint8', 'int8', 'int16', 'int32', 'int64'),
        *('uint16', 'uint32', 'uint64'),
        *('float16', 'bfloat16', 'float32', 'float64'),
    )
    if hasattr(torch, name)
}


def _load(
    source: str,
    file: str | Path | io.IOBase,
    map_location: str | torch.device | None = None,
    **ignored: object,
) -> object:
    """Stand in for ``torch.load``: plain numbers whatever the caller asks."""
    if str(file).endswith('.safetensors'):
        return read_safetensors(file)
    return read_torch_file(file, source, map_location)


def weights_only(loader: Callable) -> Callable:
    """Guard a checkpoint loader: nothing that it opens can run code.

    Args:
        loader (Callable): A loader of mmengine's ``CheckpointLoader``: it
            takes a file name and ``map_location``, and opens files by
            ``torch.load``, itself or through other loaders.

    Returns:
        Callable: The same loader. It raises :class:`UnsafeCheckpointError`
        where a file holds more than tensors and plain containers, and
        ``ValueError`` where it is no readable checkpoint.
    """

    @functools.wraps(loader)  # mmengine prints the loader's name
    def guarded(filename: str, *args, **kwargs) -> dict:
        # `torch.load` itself is replaced meanwhile: mmengine's loaders and
        # torch.hub take no argument that would reach it. torch.hub unpacks
        # a zip of one member to the disk before it loads that.
        load = functools.partial(_load, str(filename))
        try:
            with (
                mock.patch.object(torch, 'load', load),
                mock.patch.object(
                    torch.hub, '_is_legacy_zip_format', lambda name: False
                ),
            ):
                return loader(filename, *args, **kwargs)
        except FileNotFoundError as error:
            if isinstance(error, UserError):
                raise
            raise UserFileNotFoundError(
                f'{filename}: there is no such checkpoint.'
            ) from error
        except URLError as error:
            raise UserError(
                f'{filename} cannot be fetched ({error.reason}): is there a '
                'network, and is the address right? A file of this machine '
                'can be named in its place.'
            ) from error
        except KeyError as error:  # a look-up in a table of model names
            raise UserValueError(
                f'{filename}: there is no model of that name.'
            ) from error

    return guarded


def state_dict_of(checkpoint: dict, source: str) -> dict:
    """Take the weights out of a loaded checkpoint.

    Args:
        checkpoint (dict): A checkpoint with a ``state_dict`` inside, or a
            bare state dict.
        source (str): Where it came from, for the error.

    Returns:
        dict: Names and tensors.

    Raises:
        ValueError: If there is no tensor under a name.
        UnsafeCheckpointError: If one is not of real numbers, or many share
            the same.
    """
    weights = checkpoint
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        weights = checkpoint['state_dict']
    tensors = (
        {
            name: value
            for name, value in weights.items()
            if torch.is_tensor(value) and isinstance(name, str)
        }
        if isinstance(weights, dict)
        else {}
    )
    if not tensors:
        raise UserValueError(
            f'{source} holds no weights: expected a dict of named tensors, '
            'bare or under `state_dict`.'
        )
    _check_plain(tensors, source)
    return tensors


def _check_plain(weights: dict[str, torch.Tensor], source: str) -> None:
    """Raise at what cannot be weights, before anything is copied."""
    storages, size = {}, 0
    for name, value in weights.items():
        if not name.isprintable():
            raise UserValueError(
                f'{source} has a tensor of the name {name[:200]!a}: expected '
                'printable characters.'
            )
        if value.dtype not in _REAL:
            raise UnsafeCheckpointError(
                f'{source} is refused: {name} is {value.dtype}. Weights are '
                'real numbers.'
            )
        storage = value.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        size += value.numel() * value.element_size()
        if size > _MOST_SHARED * sum(storages.values()):
            raise UnsafeCheckpointError(
                f'{source} is refused: at {name} its tensors, which share '
                f'their numbers, are over {_MOST_SHARED} times as large as '
                'those.'
            )


def check_finite(weights: dict[str, torch.Tensor], source: str) -> None:
    """Raise if weights hold NaN or infinity, or whole numbers alone.

    Args:
        weights (dict[str, torch.Tensor]): Names and tensors.
        source (str): Where they came from, for the error.

    Raises:
        UserValueError: If a value is not finite, or a weight or bias is of
            integers, as quantised files have them: without their scales they
            say nothing.
    """
    whole = [
        name
        for name, value in weights.items()
        if name.endswith(('weight', 'bias')) and not value.is_floating_point()
    ]
    if whole:
        raise UserValueError(
            f'{source}: {len(whole)} of {len(weights)} backbone tensors hold '
            f'integers where weights are expected, {whole[0]} first '
            f'({weights[whole[0]].dtype}). Is the file quantised? Take the '
            'weights in floating point.'
        )
    broken = [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    if broken:
        raise UserValueError(
            f'{source}: {len(broken)} of {len(weights)} backbone tensors '
            f'hold NaN or infinity, {broken[0]} first. The training has '
            'diverged; take an earlier checkpoint.'
        )


for _prefixes, _loader in (
    ('', mmengine_checkpoint.load_from_local),
    (('http://', 'https://'), mmengine_checkpoint.load_from_http),
    ('pavi://', mmengine_checkpoint.load_from_pavi),
    (
        (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'),
        mmengine_checkpoint.load_from_ceph,
    ),
    (
        ('modelzoo://', 'torchvision://'),
        mmengine_checkpoint.load_from_torchvision,
    ),
    (
        ('open-mmlab://', 'openmmlab://'),
        mmengine_checkpoint.load_from_openmmlab,
    ),
    ('mmcls://', mmengine_checkpoint.load_from_mmcls),
):
    CheckpointLoader.register_scheme(
        _prefixes, weights_only(_loader), force=True
    )
