"""Ends a run in good order when a scheduler asks for it."""

import atexit
import os
import re
import signal
from collections.abc import Callable
from functools import partial
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmselfemd.engine.cpu_distributed import leave_process_group
from mmselfemd.errors import UserValueError
from mmselfemd.registry import HOOKS

from .due_validation import make_up_validation, note_due_validation
from .safe_checkpoint_hook import SafeCheckpointHook

_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
_INSIDE_EPOCH = 'preemption_ckpt'  # in the message hub: a checkpoint's name


def _is_heard(number: int) -> bool:
    """Whether a hook of a run here, or of one that failed, gets a signal."""
    handler = getattr(signal.getsignal(number), '__self__', None)
    return isinstance(handler, PreemptionHook)


# A forked process has no step to end. By our handler it would outlive the
# SIGTERM by which its pool ends it (that of mmdet's VOCMetric, say), and the
# pool would wait for ever: the handler is Python's and waits for the next
# bytecode, which a process that sits in a lock does not reach. So the child
# dies of the signal as others do; one that comes while it is being made waits
# until then, instead of being forgotten.
_masks: list[set] = []


def _before_fork() -> None:
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS))


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _after_fork_in_child() -> None:
    for number in _SIGNALS:
        if _is_heard(number):
            signal.signal(number, signal.SIG_DFL)
    _after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_after_fork_in_child,
)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """Saves a checkpoint and ends the run after SIGTERM or SIGUSR1.

    Schedulers send SIGTERM before they take a machine away, and Slurm sends
    before the end of the time what its ``--signal`` says, SIGUSR1 by custom.
    Then the optimiser's current step ends, the run's own ``CheckpointHook``
    saves, and the process leaves with status 128 + the signal's number: 143
    or 138. ``--resume`` goes on.

    A signal may reach processes at different iterations, or only some of
    them. So at every ``interval`` steps of the optimiser they ask each other,
    and all stop at the same one. One process alone looks at every step. A
    validation is not interrupted: the run ends after the next step. One that
    would have followed the last step comes first in the resumed run.

    Args:
        interval (int): After how many of the optimiser's steps several
            processes ask each other: one number is reduced, and they wait
            for it. Defaults to 10.

    Raises:
        ValueError: If ``interval`` is less than 1.
    """

    priority = 'LOWEST'  # whatever else belongs to the step is done by then

    def __init__(self, interval: int = 10) -> None:
        if interval < 1:
            raise ValueError(
                'PreemptionHook: interval must be at least 1, but got '
                f'{interval}'
            )
        self.interval = interval
        self._received = 0
        self._agreed = 0
        self._num_steps = 0
        self._former: dict[int, Any] = {}
        self._checkpoint: CheckpointHook | None = None
        self._has_ended: Any = None

    def before_train(self, runner: Runner) -> None:
        """Listen for the signals.

        Raises:
            UserValueError: If the run saves no checkpoints.
        """
        hooks = [h for h in runner.hooks if isinstance(h, CheckpointHook)]
        if not hooks:
            raise UserValueError(
                'PreemptionHook saves through default_hooks.checkpoint, and '
                'this run has none: add one, or leave out '
                'default_hooks.preemption.'
            )
        self._checkpoint = hooks[0]
        self._received = self._agreed = self._num_steps = 0
        try:
            for number in _SIGNALS:
                self._former[number] = signal.signal(number, self._receive)
        except ValueError:  # Python allows it in the main thread only
            runner.logger.warning(
                'PreemptionHook: not in the main thread, so that signals '
                'end the run without a checkpoint.'
            )
        loaders = [runner.train_dataloader]
        if runner.val_loop is not None:
            loaders.append(runner.val_dataloader)
        self._has_ended = _spare_workers(loaders)
        make_up_validation(runner)

    def after_train(self, runner: Runner) -> None:
        """Listen no longer: the run is at its end."""
        self.stop_listening()

    def stop_listening(self) -> None:
        """Put the former handlers back; our loops do, where a run fails."""
        if self._has_ended is not None:
            self._has_ended.value = True
        for number, handler in self._former.items():
            signal.signal(number, handler or signal.SIG_DFL)
        self._former.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._received = number

    def after_train_iter(
        self, runner: Runner, batch_idx: int, **kwargs
    ) -> None:
        """After a step of the optimiser, stop if a process was asked to.

        Raises:
            SystemExit: With 128 + the number of the signal.
        """
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapper) and not wrapper.should_update():
            return  # within an accumulation
        self._num_steps += 1
        is_alone = get_world_size() == 1
        if not is_alone and self._num_steps % self.interval:
            return
        received = torch.tensor(self._received)
        all_reduce(received, op='max')
        self._agreed = int(received)
        if not self._agreed or runner.iter + 1 >= runner.max_iters:
            return  # the last step needs no hurry: the run ends by itself
        if self._checkpoint.by_epoch and self.end_of_epoch(
            runner.train_dataloader, batch_idx
        ):
            return  # after_train_epoch saves: the epoch is whole
        self.save(runner)
        self._leave(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Stop at the end of an epoch, if the signal came with its end.

        Raises:
            SystemExit: With 128 + the number of the signal.
        """
        if not self._checkpoint.by_epoch:
            return
        is_last = self.is_last_train_epoch(runner)
        if self._agreed and not is_last:
            note_due_validation(runner)
            self._checkpoint._save_checkpoint(runner)
        if self._checkpoint.last_ckpt is not None:  # saved since the start
            self._remove(runner, runner.message_hub.get_info(_INSIDE_EPOCH))
        if self._agreed and not is_last:
            self._leave(runner)

    def save(self, runner: Runner, alone: bool = False) -> None:
        """Save after a step of the optimiser, wherever in an epoch.

        Args:
            runner (Runner): The runner of the training process.
            alone (bool): Whether the other processes, which may be gone, are
                not asked if their state is finite. Defaults to False.
        """
        if alone:
            self._checkpoint.check_finite = False
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            note_due_validation(runner)
        if self._checkpoint.by_epoch:
            self._save_inside_epoch(runner)
        else:
            self._checkpoint._save_checkpoint(runner)

    def _save_inside_epoch(self, runner: Runner) -> None:
        """Save as ``iter_N.pth``, where other checkpoints are of epochs.

        It is no part of ``max_keep_ckpts``, and goes when a later one is
        there.
        """
        hook, step = self._checkpoint, runner.iter + 1
        if isinstance(hook, SafeCheckpointHook):
            hook.check_state(runner)
        former = runner.message_hub.get_info(_INSIDE_EPOCH)
        name = f'iter_{step}.pth'
        runner.message_hub.update_info(_INSIDE_EPOCH, name)
        runner.save_checkpoint(
            hook.out_dir,
            name,
            save_optimizer=hook.save_optimizer,
            save_param_scheduler=hook.save_param_scheduler,
            meta=dict(epoch=runner.epoch, iter=step),
            by_epoch=False,
            backend_args=hook.backend_args,
        )
        if is_main_process():
            path = Path(hook.out_dir, name)
            pointer = Path(runner.work_dir, 'last_checkpoint')
            hook.file_backend.put_text(str(path), pointer)
        if former != name:
            self._remove(runner, former)

    def _remove(self, runner: Runner, name: str | None) -> None:
        # It may come from a checkpoint, and a checkpoint from anywhere.
        is_ours = re.fullmatch(r'iter_\d+\.pth', str(name))
        if is_ours and is_main_process():
            Path(self._checkpoint.out_dir, name).unlink(missing_ok=True)

    def _leave(self, runner: Runner) -> None:
        status = 128 + self._agreed
        # A process that left earlier would take the others with it: srun and
        # torchrun end all when one of them fails.
        barrier()
        runner.logger.warning(
            f'{signal.Signals(self._agreed).name}: checkpoint saved, the run '
            f'ends with status {status}; go on with --resume.'
        )
        if path := os.environ.get('MMSELFEMD_STATUS_FILE'):
            Path(path).write_text(str(status))  # for tools/dist_run.sh
        leave_process_group()
        raise SystemExit(status)


def _spare_workers(loaders: list[DataLoader]) -> Any:
    """Let the workers of loaders live through the first signal.

    Some send it to the whole group of processes (``timeout``, torchrun): a
    worker that dies of it would break the step that is to be ended. Workers
    that are already at work, those of mmengine's iteration-based loop, cannot
    be reached. Returned is a flag in shared memory; once it is set, at the
    end of training or of the process, the first signal ends a worker, for
    that is how Python ends what is left of them, and waits.
    """
    has_ended = RawValue('b', False)
    for loader in loaders:
        loader.worker_init_fn = partial(
            _init_worker,
            former=loader.worker_init_fn,
            has_ended=has_ended,
        )
    # Before multiprocessing's own, which was registered earlier.
    atexit.register(setattr, has_ended, 'value', True)
    return has_ended


def _init_worker(
    worker_id: int,
    former: Callable[[int], None] | None,
    has_ended: Any,
) -> None:
    received = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if has_ended.value or len(received) > 1:
            os._exit(0)

    for number in _SIGNALS:
        signal.signal(number, receive)
    if former is not None:
        former(worker_id)
