"""What a run goes on with, from a checkpoint."""

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.optim import Optimizer

from mmselfemd.errors import UserValueError

#: What SGD, LARS and Adam keep in the shape of a parameter.
_LIKE_PARAMETER = ('momentum_buffer', 'exp_avg', 'exp_avg_sq')


def prepare_training_state(
    checkpoint: dict,
    optim_wrapper: OptimWrapper | OptimWrapperDict | dict,
    source: str,
    has_schedules: bool = False,
) -> None:
    """Rebuild the message hub's buffers; raise if a run cannot go on.

    Args:
        checkpoint (dict): The checkpoint; changed.
        optim_wrapper (OptimWrapper | OptimWrapperDict | dict):
            ``runner.optim_wrapper``; compared if it is built.
        source (str): The checkpoint's path.
        has_schedules (bool): Whether the run has schedules, whose state it
            needs then. Defaults to False.

    Raises:
        UserValueError: With the part that is missing or broken.
    """
    part = 'meta'
    try:
        for part in ('meta.epoch', 'meta.iter'):
            range(checkpoint['meta'][part.removeprefix('meta.')])
        part = 'message_hub'
        scalars = checkpoint[part]['log_scalars']
        for name, buffer in scalars.items():
            scalars[name] = _history_buffer(buffer)
        MessageHub('trial').load_state_dict(checkpoint[part])
        part = 'optimizer'
        if isinstance(optim_wrapper, OptimWrapperDict):
            for name, each in optim_wrapper.items():
                _check_optimizer(each.optimizer, checkpoint[part][name])
        elif isinstance(optim_wrapper, OptimWrapper):
            _check_optimizer(optim_wrapper.optimizer, checkpoint[part])
        part = 'param_schedulers'
        if has_schedules:  # else they would begin anew without a word
            checkpoint[part]
    except (
        AssertionError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise UserValueError(
            f'Cannot resume from {source}: no training state of this run, '
            f'its {part} is missing or broken. To start from its weights, '
            'set load_from and leave out --resume.'
        ) from error


def _history_buffer(saved: object) -> object:
    """Rebuild a buffer from what :func:`to_plain` made of it."""
    if not (isinstance(saved, dict) and 'log_history' in saved):
        return saved  # mmengine skips what is no buffer, with a warning
    # On a GPU the loader has put the tensors there.
    logs, counts = (
        np.asarray(saved[name].cpu())
        for name in ('log_history', 'count_history')
    )
    # BoundedHistoryHook bounds it, if this run has one too.
    return HistoryBuffer(logs, counts)


def _check_optimizer(optimizer: Optimizer, saved: dict) -> None:
    """Raise if a state is not one of an optimiser of these parameters."""
    for group, former in zip(
        optimizer.param_groups, saved['param_groups'], strict=True
    ):
        for parameter, number in zip(
            group['params'], former['params'], strict=True
        ):
            state = saved['state'].get(number, {})
            kept = [state[name] for name in _LIKE_PARAMETER if name in state]
            if any(
                torch.is_tensor(value) and value.shape != parameter.shape
                for value in kept
            ):
                raise ValueError(f'{tuple(parameter.shape)} expected')
