"""What a run saves when it fails: the optimiser's last whole step."""

import logging
from copy import copy
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import EMAHook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmselfemd.engine.finite_state import non_finite_parts
from mmselfemd.engine.hooks.preemption_hook import PreemptionHook
from mmselfemd.engine.model import optimizers_of

#: Where an epoch stands, in the message hub: its number, batches done.
POSITION = 'train_position'


class LastWholeStep:
    """The end of the optimiser's last step, to go back to after an error.

    Parameters and the optimiser's state change in a step alone, so what an
    error leaves of them is whole unless it came between the step and the last
    of the hooks that follow it. What batches without a step have changed is
    put back: the buffers, by :class:`FiniteOptimWrapper`, the schedules, what
    the log averages, and the position. The process that writes checkpoints
    does so by itself, for another may be gone; it has all that a checkpoint
    holds.

    Args:
        runner (Runner): The runner of the training process.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._state: dict[str, Any] | None = None
        self._is_averaged = any(isinstance(h, EMAHook) for h in runner.hooks)
        for optimizer in optimizers_of(runner.optim_wrapper):
            optimizer.register_step_pre_hook(self._forget)

    def _forget(self, *args) -> None:
        self._state = None

    def note(self) -> None:
        """Remember an iteration that is over, if it ended a step.

        Where one without a step is averaged too, what was ended is gone.
        """
        runner, wrapper = self._runner, self._runner.optim_wrapper
        if isinstance(wrapper, OptimWrapperDict) or wrapper.should_update():
            loop, hub = runner.train_loop, runner.message_hub
            self._state = dict(
                progress=(loop._epoch, loop._iter),
                position=hub.get_info(POSITION),
                last_checkpoint=hub.get_info('last_ckpt'),
                parts=[(part, copy(part)) for part in self._changed()],
            )
        elif self._is_averaged:
            self._forget()

    def _changed(self) -> list[dict]:
        """What schedules change, theirs and the optimisers'; and the log's."""
        runner = self._runner
        schedules = runner.param_schedulers or []
        if isinstance(schedules, dict):
            schedules = sum(schedules.values(), [])
        optimizers = optimizers_of(runner.optim_wrapper)
        histories = runner.message_hub.log_scalars.values()
        return [vars(each) for each in (*schedules, *histories)] + [
            group for each in optimizers for group in each.param_groups
        ]

    def save(self) -> None:
        """Save it through the run's own checkpoint hook, if it is whole."""
        state, runner = self._state, self._runner
        hooks = [h for h in runner.hooks if isinstance(h, PreemptionHook)]
        hub, wrapper = runner.message_hub, runner.optim_wrapper
        if (
            state is None
            or not hooks
            or not is_main_process()
            or not hasattr(wrapper, 'undo_forward')
            # The averaged weights may be in, for a validation.
            or (self._is_averaged and not runner.model.training)
            # Saved since, or the error is one of saving.
            or hub.get_info('last_ckpt') != state['last_checkpoint']
        ):
            return
        wrapper.undo_forward()
        for part, former in state['parts']:
            part.update(former)
        if state['position'] is not None:  # of an epoch
            hub.update_info(POSITION, state['position'])
        loop = runner.train_loop
        epoch, done = state['progress']
        loop._epoch, loop._iter = epoch, done - 1  # a hook's view of it
        if bad := non_finite_parts(runner):
            raise ArithmeticError(f'NaN or infinity in {bad[0]}')
        hooks[0].save(runner, alone=True)
        print_log(
            f'The run failed; its last whole step, iteration {done}, is '
            'saved, and --resume goes on from it.',
            logger='current',
            level=logging.WARNING,
        )
