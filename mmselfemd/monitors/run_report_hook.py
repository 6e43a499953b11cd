"""Says at the start what a run will take."""

import os
import shutil
import time
from math import ceil

from mmengine.device import get_device
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmselfemd.engine.model import (
    accumulative_counts,
    batch_size_of,
    optimizers_of,
)
from mmselfemd.engine.schedule_length import warn_of_other_length
from mmselfemd.plurals import counted
from mmselfemd.registry import HOOKS

GIGABYTE = 1e9


@HOOKS.register_module()
class RunReportHook(Hook):
    """Logs, one line each, what a long run will take.

    Before the first step: the images found, the batch of an optimiser's step,
    the steps and the learning rate, with a warning where the rate is meant
    for another batch, or its schedule for another length. After the first
    steps: the hours that the remaining ones take at their rate (of training
    alone; validation comes on top). After the first checkpoint: the disk that
    those to come take, each as large as the first, with a warning where it is
    not free.

    Args:
        num_steps (int): Over how many iterations the rate is measured.
            Defaults to 20.
        num_warm_up (int): How many come before and do not count: the first
            ones wait for workers and choose algorithms. Defaults to 5.

    Raises:
        ValueError: If a number of iterations is not positive.
    """

    priority = 'LOWEST'  # after what changes the batch or the rate

    def __init__(self, num_steps: int = 20, num_warm_up: int = 5) -> None:
        if num_steps < 1 or num_warm_up < 1:
            raise ValueError(
                'RunReportHook: num_steps and num_warm_up must be at least '
                f'1, but got {num_steps} and {num_warm_up}'
            )
        self.num_steps = num_steps
        self.num_warm_up = num_warm_up
        self._first_iter = 0
        self._start = self._start_of_val = 0.0
        self._has_told_disk = False

    def before_train(self, runner: Runner) -> None:
        """Log what is known before the first step."""
        self._first_iter = runner.iter
        self._has_told_disk = False
        loader = runner.train_dataloader
        runner.logger.info(f'Images: {len(loader.dataset)}.')
        runner.logger.info(f'Batch: {_describe_batch(runner)}.')
        runner.logger.info(f'Steps: {_describe_steps(runner)}.')
        runner.logger.info(f'Learning rate: {_learning_rate(runner):g}.')
        _warn_of_other_batch(runner)
        warn_of_other_length(runner)

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Log the hours, once the first steps are done, and the disk."""
        done = runner.iter + 1 - self._first_iter
        if done == self.num_warm_up:
            self._start = time.perf_counter()
        elif done == self.num_warm_up + self.num_steps:
            seconds = (time.perf_counter() - self._start) / self.num_steps
            remaining = runner.max_iters - runner.iter - 1
            runner.logger.info(
                f'Time: {remaining * seconds / 3600:.1f} hours for the '
                f'remaining {remaining} iterations, at {seconds:.3f} s each '
                '(validation not counted).'
            )
        self._report_disk(runner, runner.iter)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the disk, if the first checkpoint is there."""
        self._report_disk(runner, runner.epoch)

    def before_val(self, runner: Runner) -> None:
        """Stop the clock."""
        self._start_of_val = time.perf_counter()

    def after_val(self, runner: Runner) -> None:
        """Let the clock go on."""
        self._start += time.perf_counter() - self._start_of_val

    def _report_disk(self, runner: Runner, step: int) -> None:
        """Log the disk for checkpoints, once; warn if it is not free."""
        hook = next(
            (h for h in runner.hooks if isinstance(h, CheckpointHook)), None
        )
        if (
            self._has_told_disk
            or not is_main_process()
            or hook is None
            or not os.path.isfile(hook.last_ckpt or '')
        ):
            return
        self._has_told_disk = True
        size = os.path.getsize(hook.last_ckpt)
        count = _checkpoints_to_come(runner, hook, step + 1)
        if count == 0:
            return
        needed, free = size * count, shutil.disk_usage(hook.out_dir).free
        runner.logger.info(
            f'Disk: {needed / GIGABYTE:.2f} GB for checkpoints to come (at '
            f'most {count} at a time, {size / GIGABYTE:.2f} GB each), '
            f'{free / GIGABYTE:.2f} GB free in {hook.out_dir}.'
        )
        if needed > free:
            runner.logger.warning(
                f'The disk of {hook.out_dir} is too small for the '
                f'checkpoints: {(needed - free) / GIGABYTE:.2f} GB are '
                'missing. Free some, choose another --work-dir, or keep '
                'fewer: --cfg-options '
                'default_hooks.checkpoint.max_keep_ckpts=1'
            )


def _images_of_step(runner: Runner) -> int:
    """Images that all processes take in a step of the optimiser."""
    counts = accumulative_counts(runner.optim_wrapper)
    return batch_size_of(runner.train_dataloader) * get_world_size() * counts


def _describe_batch(runner: Runner) -> str:
    processes = get_world_size()
    accumulation = accumulative_counts(runner.optim_wrapper)
    images = _images_of_step(runner)
    text = (
        f'{images} images a step of the optimiser = '
        f'{batch_size_of(runner.train_dataloader)} x {processes} '
        f'{"process" if processes == 1 else "processes"}'
    )
    if accumulation > 1:
        text += f' x {accumulation} accumulated'
    return f'{text}, on {get_device()}'


def _describe_steps(runner: Runner) -> str:
    accumulation = accumulative_counts(runner.optim_wrapper)
    text = f'{ceil(runner.max_iters / accumulation)} of the optimiser'
    if accumulation > 1:
        text += f' in {runner.max_iters} iterations'
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        text += (
            f', {counted(runner.max_epochs, "epoch")} of '
            f'{counted(len(runner.train_dataloader), "iteration")}'
        )
    if runner.iter:
        text += f'; {runner.iter} iterations are done'
    return text


def _learning_rate(runner: Runner) -> float:
    """The highest of the optimiser, before schedules scale it."""
    return max(
        group.get('initial_lr', group['lr'])
        for optimizer in optimizers_of(runner.optim_wrapper)
        for group in optimizer.param_groups
    )


def _warn_of_other_batch(runner: Runner) -> None:
    scaling = runner.auto_scale_lr or {}
    meant_for = scaling.get('base_batch_size')
    images = _images_of_step(runner)
    if meant_for in (None, images) or scaling.get('enable'):
        return
    runner.logger.warning(
        f'The learning rate {_learning_rate(runner):g} is meant for '
        f'{meant_for} images a step, and this run takes {images}: '
        '--auto-scale-lr makes it '
        f'{_learning_rate(runner) * images / meant_for:g}.'
    )


def _checkpoints_to_come(
    runner: Runner, hook: CheckpointHook, done: int
) -> int:
    """How many more files there will be at a time, at most."""
    end = runner.max_epochs if hook.by_epoch else runner.max_iters
    # At the end at least, also where the interval says never: 0 or -1.
    left = end - done
    saves = ceil(left / hook.interval) if hook.interval > 0 else min(left, 1)
    # The new file is whole before the oldest goes.
    kept = hook.max_keep_ckpts + 1 if hook.max_keep_ckpts > 0 else saves
    already = len(getattr(hook, 'keep_ckpt_ids', ()))
    best = len(hook.save_best or ()) if runner.val_loop else 0
    return min(saves, max(kept - already, 1)) + best
