"""Reading checkpoints without running what is inside them.

A pickle is a program. ``torch.load(weights_only=True)`` builds tensors and
plain containers and refuses the rest, but mmengine 0.10.7 relies on torch's
default for local files (weights-only since torch 2.6 alone) and reads files
from a URL through ``torch.hub``, which is not weights-only. Importing this
module puts every scheme of mmengine's ``CheckpointLoader`` behind one guard.
"""

import functools
import pickle
import re
from collections.abc import Callable
from unittest import mock

import numpy as np
import torch
from mmengine.runner import checkpoint as mmengine_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import (
    UserError,
    UserFileNotFoundError,
    UserValueError,
)

from .safetensors_file import read_safetensors

__all__ = [
    'UnsafeCheckpointError',
    'check_finite',
    'state_dict_of',
    'weights_only',
]

_torch_load = torch.load

# Public OpenMMLab files carry numpy scalars (an epoch's accuracy) and small
# arrays (a palette) in `meta`. These callables only assemble numbers. numpy
# renamed the module in version 2; files carry either name.
_NUMPY_GLOBALS = [
    np.ndarray,
    np.dtype,
    *(type(np.dtype(code)) for code in np.typecodes['All'] if code != 'O'),
    *(
        (getattr(np.core.multiarray, name), f'{module}.{name}')
        for module in ('numpy.core.multiarray', 'numpy._core.multiarray')
        for name in ('scalar', '_reconstruct')
    ),
]


class UnsafeCheckpointError(UserError, RuntimeError):
    """A checkpoint holds Python objects that only running code can rebuild."""


def _load_weights_only(source: str, file, *args, **kwargs) -> dict:
    """Stand in for ``torch.load``: weights-only whatever the caller asks."""
    if str(file).endswith('.safetensors'):
        return read_safetensors(file)
    kwargs.update(weights_only=True)
    try:
        with torch.serialization.safe_globals(_NUMPY_GLOBALS):
            return _torch_load(file, *args, **kwargs)
    except OSError:
        raise
    except pickle.UnpicklingError as error:
        if 'Unsupported operand' in str(error):  # no pickle: a web page, say
            raise _damage(source, error) from error
        found = re.search(r'GLOBAL (\S+)', str(error))
        reason = found.group(1) if found else 'Python objects'
        raise _refusal(source, reason) from None
    except RuntimeError as error:
        if 'TorchScript' in str(error) or '.tar format' in str(error):
            raise _refusal(source, 'a program or a whole pickle') from None
        if 'PytorchStreamReader' in str(error):
            raise _damage(source, error) from error
        raise  # e.g. a device that this host lacks
    except Exception as error:  # whatever stray bytes make of the parser
        raise _damage(source, error) from error


def _refusal(source: str, reason: str) -> UnsafeCheckpointError:
    return UnsafeCheckpointError(
        f'{source} is refused: it holds {reason}, and loading that would run '
        'code. Only tensors, numbers, strings and plain containers are read. '
        'Ask its author for a plain state dict; or, only if you trust the '
        'file, open it in a throw-away environment with torch.load(..., '
        'weights_only=False) and save '
        "dict(state_dict=checkpoint['state_dict']) again."
    )


def _damage(source: str, error: Exception) -> ValueError:
    return UserValueError(
        f'{source} is damaged, incomplete or not a PyTorch checkpoint '
        f'({type(error).__name__}).'
    )


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
        # torch.hub take no argument that would reach it.
        load = functools.partial(_load_weights_only, filename)
        try:
            with mock.patch.object(torch, 'load', load):
                return loader(filename, *args, **kwargs)
        except FileNotFoundError as error:
            if isinstance(error, UserError):
                raise
            raise UserFileNotFoundError(
                f'{filename}: there is no such checkpoint.'
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
    """
    weights = checkpoint
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        weights = checkpoint['state_dict']
    tensors = (
        {
            name: value
            for name, value in weights.items()
            if torch.is_tensor(value)
        }
        if isinstance(weights, dict)
        else {}
    )
    if not tensors:
        raise UserValueError(
            f'{source} holds no weights: expected a dict of named tensors, '
            'bare or under `state_dict`.'
        )
    return tensors


def check_finite(weights: dict[str, torch.Tensor], source: str) -> None:
    """Raise if weights hold NaN or infinity.

    Args:
        weights (dict[str, torch.Tensor]): Names and tensors.
        source (str): Where they came from, for the error.

    Raises:
        ValueError: If a value is not finite.
    """
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
