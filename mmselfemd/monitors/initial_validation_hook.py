"""Measures the network before it learns anything."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mmengine.hooks import (
    CheckpointHook,
    EarlyStoppingHook,
    EMAHook,
    Hook,
    ParamSchedulerHook,
)
from mmengine.runner import Runner

from mmselfemd.random_state import kept_random_state
from mmselfemd.registry import HOOKS

#: What picks and waits by the figures of a validation. An untrained network
#: is no best one, nor one of those that became no better.
_CHOOSING = (CheckpointHook, EarlyStoppingHook, ParamSchedulerHook)


@HOOKS.register_module()
class InitialValidationHook(Hook):
    """Validates once before the first iteration.

    mmengine's first validation comes after an epoch; a curve without its
    start does not tell what training has brought. The figures named in
    ``keep`` are logged again with every later validation, with
    ``_untrained`` behind the name. A resumed run has them in its checkpoint.
    The best checkpoint, the patience of an early stop and a learning rate that
    falls on a plateau are of the later validations alone.

    Args:
        keep (Sequence[str]): Metrics to keep for comparison.
            Defaults to ``('matching/accuracy', 'matching/gain')``.
    """

    # All other hooks are ready for a validation then.
    priority = 'LOWEST'

    def __init__(
        self,
        keep: Sequence[str] = ('matching/accuracy', 'matching/gain'),
    ) -> None:
        self.keep = keep

    def before_train(self, runner: Runner) -> None:
        """Validate, unless the run resumes or does not validate at all."""
        if runner.iter > 0 or runner.val_loop is None:
            return
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                # Validated is its copy of the network, made before the
                # weights were initialised; its first update copies them.
                hook.ema_model.module.load_state_dict(
                    hook.src_model.state_dict()
                )
        with kept_random_state(), _without_choice(runner):
            metrics = runner.val_loop.run()
        runner.model.train()
        for name in self.keep:
            if name in metrics:
                runner.message_hub.update_scalar(
                    f'val/{name}_untrained', metrics[name]
                )


@contextmanager
def _without_choice(runner: Runner) -> Iterator[None]:
    hooks = runner._hooks
    runner._hooks = [h for h in hooks if not isinstance(h, _CHOOSING)]
    try:
        yield
    finally:
        runner._hooks = hooks
