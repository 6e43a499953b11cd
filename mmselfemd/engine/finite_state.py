"""Whether what a run would save is worth saving."""

from itertools import chain
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.runner import Runner

from mmselfemd.errors import UserError

from .model import optimizers_of, unwrap_model

_MAX_NAMED = 5


class NonFiniteCheckpointError(UserError, ArithmeticError):
    """A checkpoint would hold NaN or infinity."""


def check_finite_state(runner: Runner, last_checkpoint: str | None) -> None:
    """Raise if weights, buffers or the optimiser's state are not finite.

    No later step mends a NaN in a weight. Every process looks at its own
    state and hears of the others', so that all of them stop.

    Args:
        runner (Runner): The runner of the training process.
        last_checkpoint (str, optional): What was saved before, for the error.

    Raises:
        NonFiniteCheckpointError: With the names of the first tensors and of
            the checkpoint to go on from.
    """
    own = non_finite_parts(runner)
    names = sorted(set().union(*all_gather_object(own)))
    if names:
        # `runner.iter` is one further at the end of an epoch.
        iteration = runner.message_hub.get_info('iter', 0) + 1
        raise NonFiniteCheckpointError(
            f'Iteration {iteration}: NaN or infinity in {len(names)} of the '
            f'tensors to be saved, such as {", ".join(names[:_MAX_NAMED])}. '
            f'Nothing was saved. {way_out(last_checkpoint)}'
        )


def non_finite_parts(runner: Runner) -> list[str]:
    """Name what holds NaN or infinity in this process alone.

    Args:
        runner (Runner): The runner of the training process.

    Returns:
        list[str]: Names of weights and buffers, and the optimiser's state.
    """
    bad = [
        f'model.{name}'
        for name, value in unwrap_model(runner.model).state_dict().items()
        if not _is_finite(value)
    ]
    for optimizer in optimizers_of(runner.optim_wrapper):
        states = [state.values() for state in optimizer.state.values()]
        if not all(map(_is_finite, chain.from_iterable(states))):
            bad.append("the optimizer's state")
    return bad


def way_out(last_checkpoint: str | None) -> str:
    """What to do after a run that was stopped by NaN.

    Args:
        last_checkpoint (str, optional): What was saved before.

    Returns:
        str: For the end of the error.
    """
    if last_checkpoint is None:
        return (
            'No checkpoint was saved before: start again with a lower '
            'optim_wrapper.optimizer.lr, or without --amp.'
        )
    # A resume takes learning rate and schedules from the checkpoint, whatever
    # the config says; and, as it was, the run would meet the same NaN.
    return (
        f'The last checkpoint is {last_checkpoint}: go on from it with '
        '--resume and without --amp, or with optim_wrapper.clip_grad='
        '"dict(max_norm=...)"; or start from its weights (load_from, without '
        '--resume) with a lower optim_wrapper.optimizer.lr.'
    )


def _is_finite(value: Any) -> bool:
    return not torch.is_tensor(value) or bool(value.isfinite().all())
