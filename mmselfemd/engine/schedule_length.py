"""Schedules of the learning rate beside the length of the run."""

import logging
from copy import copy
from types import SimpleNamespace
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.optim import (
    ConstantParamScheduler,
    LinearParamScheduler,
    _ParamScheduler,
)
from mmengine.optim.scheduler.param_scheduler import INF
from mmengine.runner import EpochBasedTrainLoop, Runner

from .model import optimizers_of


def drop_late_schedules(cfg: Config) -> None:
    """Leave out the schedules that would begin after the last epoch.

    One without an ``end`` ends with the run, and so none can begin there: a
    trial of one epoch ends within the warm-up.

    Args:
        cfg (Config): The config; changed.
    """
    epochs = (cfg.get('train_cfg') or {}).get('max_epochs')
    schedules = cfg.get('param_scheduler')
    if epochs is None or not isinstance(schedules, list):
        return
    cfg.param_scheduler = [
        each
        for each in schedules
        if 'end' in each
        or not each.get('by_epoch', True)
        or each.get('begin', 0) < epochs
    ]
    if len(cfg.param_scheduler) < len(schedules):
        print_log(
            f'The run ends after {epochs} epochs, within the warm-up: the '
            'schedules that follow it are left out.',
            logger='current',
            level=logging.WARNING,
        )


def warn_of_other_length(runner: Runner) -> None:
    """Warn if the learning rate was to end elsewhere than the run does.

    Logged is the rate of the last step, and what to change.

    Args:
        runner (Runner): The runner of the training process, resumed or not.
    """
    schedules = _schedules(runner)
    for number, each in schedules:
        length = runner.max_epochs if each.by_epoch else runner.max_iters
        steps = sorted(getattr(each, 'milestones', ()))
        is_cut = length < each.end < INF or (steps and steps[-1] >= length)
        # After a warm-up alone the rate stays, as it should.
        is_last = number == schedules[-1][0] and not isinstance(
            each, LinearParamScheduler | ConstantParamScheduler
        )
        if is_cut or (is_last and each.end < length):
            runner.logger.warning(
                f'{type(each).__name__} goes to {each.end}'
                f'{f", with steps at {steps}" if steps else ""}, and the run '
                f'to {length} {"epochs" if each.by_epoch else "iterations"}: '
                'the learning rate of the last step will be '
                f'{rate_at_end(runner):.3g}. {_remedy(runner, number)}'
            )
            return


def _schedules(runner: Runner) -> list[tuple[int, _ParamScheduler]]:
    """Those of the learning rate that go by the clock, with their numbers."""
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    schedules = runner.param_schedulers
    return [
        (number, each)
        for number, each in enumerate(
            schedules if isinstance(schedules, list) else ()
        )
        if each.param_name == 'lr'
        and not getattr(each, 'need_val_args', False)
        and (by_epoch or not each.by_epoch)
    ]


def rate_at_end(runner: Runner) -> float:
    """The highest learning rate of the last iteration.

    mmengine's schedules are recursive, so this goes through all iterations
    to come, about 10 microseconds each.

    Args:
        runner (Runner): The runner of the training process.

    Returns:
        float: The learning rate.
    """
    groups = [
        group
        for optimizer in optimizers_of(runner.optim_wrapper)
        for group in optimizer.param_groups
    ]
    index = max(range(len(groups)), key=lambda i: groups[i]['initial_lr'])
    group = {name: groups[index][name] for name in ('initial_lr', 'lr')}
    optimizer = SimpleNamespace(
        param_groups=[group],
        step=SimpleNamespace(_with_counter=True),
        _global_step=0,
    )
    schedulers = []
    for _, each in _schedules(runner):
        each = copy(each)
        each.optimizer = optimizer
        each.base_values = [each.base_values[index]]
        schedulers.append(each)
    epoch_length = len(runner.train_dataloader)
    for iteration in range(runner.iter + 1, runner.max_iters):
        for each in schedulers:
            if not each.by_epoch or iteration % epoch_length == 0:
                each.step()
    return group['lr']


def _remedy(runner: Runner, number: int) -> str:
    if runner.iter > 0:
        return (
            'A resumed run keeps the schedules of its checkpoint. For others, '
            f'start from the weights: load_from={runner._load_from}, without '
            '--resume and in another --work-dir.'
        )
    configured = runner.cfg.get('param_scheduler')
    entry = configured[number] if isinstance(configured, list) else {}
    by_epoch = entry.get('by_epoch', True)
    length = runner.max_epochs if by_epoch else runner.max_iters
    changes: dict[str, Any] = dict(end=length)
    if 'T_max' in entry:
        changes['T_max'] = length - entry.get('begin', 0)
    if 'milestones' in entry and 'end' in entry:
        changes['milestones'] = [
            round(step * length / entry['end']) for step in entry['milestones']
        ]
    options = ' '.join(
        f'"param_scheduler.{number}.{name}={value}"'.replace(', ', ',')
        for name, value in changes.items()
    )
    return f'To let it end with the run: --cfg-options {options}'
