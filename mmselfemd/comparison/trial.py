"""A few iterations, by which the time of whole runs is estimated."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from math import ceil
from pathlib import Path
from statistics import mean

from mmengine.config import Config

from mmselfemd.process_pool import Task, run_tasks
from mmselfemd.settings.run_length import counts_epochs, set_iterations
from mmselfemd.tools_folder import tools_folder

from .configs import (
    labels_node,
    last_checkpoint,
    learns_from_boxes,
    set_intervals,
)
from .timing import Seconds

#: Iterations of a trial, and how many of them count: the first ones wait for
#: the workers.
_NUM_STEPS, _NUM_COUNTED = 12, 8

#: Images by which a trial measures the time of an evaluation.
NUM_TRIED_IMAGES = 32

#: A forward pass, as precise BN makes, beside a whole step.
_FORWARD = 0.4

_NEVER = 10**9


def measure(
    configs: Mapping[str, tuple[Config, int]],
    num_val: int,
    evaluations: int,
    folder: Path,
    jobs: int,
    devices: Sequence[str],
) -> dict[str, Seconds]:
    """Train for a few iterations, and look at the clock.

    Args:
        configs (Mapping[str, tuple[Config, int]]): By name a config and its
            images of training.
        num_val (int): Images of an evaluation.
        evaluations (int): How many a detector has.
        folder (Path): Where the trials go; what is there is removed, and
            nothing of them is used later.
        jobs (int): How many run at a time.
        devices (Sequence[str]): GPUs.

    Returns:
        dict[str, Seconds]: By name.

    Raises:
        UserError: If one fails.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of one that was cut off
    tasks = [
        _trial(name, cfg, num_images, folder)
        for name, (cfg, num_images) in configs.items()
    ]
    walls = run_tasks(tasks, jobs, devices, report=lambda line: None)
    found = {}
    for task, (name, (cfg, num_images)) in zip(
        tasks, configs.items(), strict=True
    ):
        work_dir = task.log.parent
        tried = min(NUM_TRIED_IMAGES, num_val)
        steps, image = _read(work_dir, cfg, tried)
        step = mean(steps[-_NUM_COUNTED:])
        # Before an evaluation; the trial has one, of few images.
        precise = _precise(cfg, num_images) * step if image else 0.0
        evaluated = tried * image + precise
        start = max(0.0, walls[task.name] - sum(steps) - evaluated)
        each = num_val * image + precise
        found[name] = Seconds(step, start, evaluations * each)
    return found


def _trial(name: str, cfg: Config, num_images: int, folder: Path) -> Task:
    trial = make_trial(cfg, _NUM_STEPS, num_images)
    work_dir = folder / name
    config = folder / f'{name}.py'
    folder.mkdir(parents=True, exist_ok=True)
    trial.dump(config)
    last = work_dir / last_checkpoint(trial)
    command = [sys.executable, tools_folder() / 'train.py', config]
    command += ['--work-dir', work_dir, '--resume']
    command = list(map(str, command))
    return Task(
        f'trial of {name}',
        work_dir / 'log.txt',
        lambda: None if last.is_file() else command,
    )


def _read(
    work_dir: Path, cfg: Config, num_val: int
) -> tuple[list[float], float]:
    """Seconds of each iteration, and of the evaluation of an image."""
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    steps, images = [], []
    for line in log.read_text().splitlines():
        logged = json.loads(line)
        if 'loss' in logged:
            steps.append(logged['time'])
        elif 'time' in logged:
            in_batch = min(cfg.val_dataloader.batch_size, num_val)
            images.append(logged['time'] / in_batch)
    return steps, images[-1] if images else 0.0


def _precise(cfg: Config, num_images: int) -> float:
    """What precise BN takes, in iterations of training."""
    hook = cfg.default_hooks.get('precise_bn') or {}
    images = min(hook.get('num_images', 0), num_images)
    return _FORWARD * ceil(images / cfg.train_dataloader.batch_size)


def make_trial(cfg: Config, steps: int, num_images: int) -> Config:
    """A copy that takes a few iterations, to measure the time of one.

    Args:
        cfg (Config): A config of this module.
        steps (int): Of how many.
        num_images (int): Images of training, or montages of an epoch.

    Returns:
        Config: The copy. It logs each iteration by itself, and evaluates
        :data:`NUM_TRIED_IMAGES` images at its end.
    """
    cfg = deepcopy(cfg)
    if counts_epochs(cfg):  # of few images: none is cut off
        counts = cfg.optim_wrapper.get('accumulative_counts', 1)
        steps = -(-steps // counts) * counts
        num_images = min(num_images, cfg.train_dataloader.batch_size * steps)
        if learns_from_boxes(cfg):
            cfg.train_dataloader.dataset.length = num_images
        else:
            labels_node(cfg, 'train_dataloader')['indices'] = num_images
    set_iterations(cfg, steps, num_images)
    set_intervals(cfg)
    if cfg.get('val_dataloader'):
        node = labels_node(cfg, 'val_dataloader')
        node['indices'] = NUM_TRIED_IMAGES
    # But at the end, and only then.
    cfg.default_hooks.checkpoint.update(interval=_NEVER, save_best=None)
    cfg.default_hooks.logger.interval = 1
    cfg.setdefault('log_processor', {})['window_size'] = 1
    return cfg
