"""Whether what a run would save is worth saving."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dist import all_gather_object
from mmengine.runner import Runner

from mmselfemd.errors import UserError

from .model import unwrap_model

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
    state = dict(model=unwrap_model(runner.model).state_dict())
    if getattr(runner, 'optim_wrapper', None) is not None:
        state['optimizer'] = runner.optim_wrapper.state_dict()
    own = list(non_finite_tensors(state))
    found = all_gather_object((own[:_MAX_NAMED], len(own)))
    names = sorted({name for named, _ in found for name in named})
    if names:
        count = max(count for _, count in found)
        # `runner.iter` is one further at the end of an epoch.
        iteration = runner.message_hub.get_info('iter', 0) + 1
        raise NonFiniteCheckpointError(
            f'Iteration {iteration}: NaN or infinity in {count} of the '
            f'tensors to be saved, such as {", ".join(names[:_MAX_NAMED])}. '
            f'Nothing was saved. {way_out(last_checkpoint)}'
        )


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


def non_finite_tensors(state: Any, name: str = '') -> Iterator[str]:
    """Names of the tensors in a state that are not finite.

    Args:
        state (Any): Tensors in dicts and lists, nested to any depth; anything
            else is passed over.
        name (str): Where the state sits. Defaults to ''.

    Yields:
        str: Such as ``model.backbone.conv1.weight``.
    """
    if isinstance(state, torch.Tensor):
        if not state.isfinite().all():
            yield name
    elif isinstance(state, Mapping):
        for key, value in state.items():
            yield from non_finite_tensors(value, f'{name}.{key}'.lstrip('.'))
    elif isinstance(state, list | tuple):
        for index, value in enumerate(state):
            yield from non_finite_tensors(value, f'{name}[{index}]')
