"""The averaged weights of mmengine's ``EMAHook``, where a run has it."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.hooks import EMAHook
from mmengine.runner import Runner


@contextmanager
def averaged_weights(runner: Runner) -> Iterator[None]:
    """Let the model have the weights that are validated and saved.

    ``EMAHook`` keeps them in a copy of the model, and swaps them in for a
    validation. Statistics that are recomputed meanwhile stay with them.

    Args:
        runner (Runner): The runner of the training process; without the hook
            nothing happens.
    """
    hooks = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    for hook in hooks:
        hook.before_val_epoch(runner)
    try:
        yield
    finally:
        for hook in hooks:
            hook.after_val_epoch(runner)
            _share_buffers(hook)


def _share_buffers(hook: EMAHook) -> None:
    """Give the copy the model's buffers, unless it averages its own."""
    if hook.ema_model.update_buffers:
        return
    for own, buffer in zip(
        hook.ema_model.module.buffers(), hook.src_model.buffers(), strict=True
    ):
        own.copy_(buffer)
