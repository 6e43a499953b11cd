"""What the runs of a comparison take: measured in a few iterations."""

import json
import sys
from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from mmengine.config import Config

from mmselfemd.errors import UserValueError
from mmselfemd.process_pool import Task, run_tasks
from mmselfemd.tools_folder import tools_folder

from .configs import (
    NUM_TRIED_IMAGES,
    last_checkpoint,
    make_trial,
)
from .runs import (
    DetectorRun,
    Run,
    detector_runs,
    pretraining_runs,
)
from .wall_clock import wall_clock

#: Iterations of a trial, and how many of them count: the first ones wait for
#: the workers.
_NUM_STEPS, _NUM_COUNTED = 12, 8

#: A forward pass, as precise BN makes, beside a whole step.
_FORWARD = 0.4

#: Of the hours, the share that is planned with.
_PLANNED = 0.95

#: Steps up to the most iterations, by which their number is looked for.
_STEPS = 1000

#: Fewer iterations than these tell nothing.
_FEWEST = 20


class Seconds(NamedTuple):
    """What a run takes.

    Attributes:
        iteration (float): Of training.
        start (float): Once, from the start of the process to its end.
        evaluations (float): All evaluations on the way, and at the end.
    """

    iteration: float
    start: float = 0.0
    evaluations: float = 0.0

    def of(self, iterations: int) -> float:
        """Those of a whole run.

        Args:
            iterations (int): Of training.

        Returns:
            float: Seconds.
        """
        return self.start + iterations * self.iteration + self.evaluations


def kind_of(run: Run) -> str:
    """By whose time a run is estimated.

    Args:
        run (Run): The run.

    Returns:
        str: ``detector``, or the name of a way of pre-training.
    """
    return 'detector' if isinstance(run, DetectorRun) else run.candidate.name


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
        folder (Path): Where the trials go; nothing of them is used later.
        jobs (int): How many run at a time.
        devices (Sequence[str]): GPUs.

    Returns:
        dict[str, Seconds]: By name.

    Raises:
        UserError: If one fails.
    """
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
        steps, image = _read(work_dir, cfg)
        tried = min(NUM_TRIED_IMAGES, num_val) * image
        start = max(0.0, walls[task.name] - sum(steps) - tried)
        step = mean(steps[-_NUM_COUNTED:])
        each = num_val * image + _precise(cfg, num_images) * step
        found[name] = Seconds(step, start, evaluations * each if image else 0)
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


def _read(work_dir: Path, cfg: Config) -> tuple[list[float], float]:
    """Seconds of each iteration, and of the evaluation of an image."""
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    steps, images = [], []
    for line in log.read_text().splitlines():
        logged = json.loads(line)
        if 'loss' in logged:
            steps.append(logged['time'])
        elif 'time' in logged:
            images.append(logged['time'] / cfg.val_dataloader.batch_size)
    return steps, images[-1] if images else 0.0


def _precise(cfg: Config, num_images: int) -> float:
    """What precise BN takes, in iterations of training."""
    hook = cfg.default_hooks.get('precise_bn') or {}
    images = min(hook.get('num_images', 0), num_images)
    return _FORWARD * ceil(images / cfg.train_dataloader.batch_size)


def lengths_within(
    hours: float,
    jobs: int,
    runs: Sequence[Run],
    seconds: Mapping[str, Seconds],
    epoch: int = 1,
) -> tuple[int, int]:
    """Iterations of the runs that fit into some hours.

    What is left after all starts and evaluations goes in halves to
    pre-training and to the detectors; without pre-training, all to these.
    Of pre-training only whole epochs are taken, and the rest is left.

    Args:
        hours (float): The budget, by the clock.
        jobs (int): How many run at a time.
        runs (Sequence[Run]): The runs, of any length.
        seconds (Mapping[str, Seconds]): What they take, by :func:`kind_of`.
        epoch (int): Iterations of an epoch of pre-training. Defaults to 1.

    Returns:
        tuple[int, int]: Iterations of a pre-training and of a detector.

    Raises:
        UserValueError: If that would be fewer than 20 of either, or less than
            an epoch.
    """
    jobs = min(jobs, len(runs))
    clock = partial(_clock, runs, seconds, jobs)
    budget = _PLANNED * hours * 3600
    fixed = sum(seconds[kind_of(run)].of(0) for run in runs)
    kinds = [pretraining_runs(runs), detector_runs(runs)]
    rates = [
        sum(seconds[kind_of(run)].iteration for run in each) for each in kinds
    ]
    # If no process had to wait for another; the clock tells what is left.
    each_kind = max(0.0, jobs * budget - fixed) / sum(map(bool, kinds))
    most = [each_kind / rate if rate else 0 for rate in rates]
    too_many = bisect(
        range(_STEPS + 1),
        budget,
        key=lambda step: clock(*_lengths(most, step)),
    )
    pretraining, detector = _lengths(most, max(0, too_many - 1))
    pretraining = pretraining // epoch * epoch
    fewest = ceil(_FEWEST / epoch) * epoch if kinds[0] else 0
    if pretraining < fewest or (kinds[1] and detector < _FEWEST):
        # So many of the kind that takes longer; the other gets as much time.
        share = max(fewest * rates[0], _FEWEST * rates[1])
        least = [ceil(1.01 * share / rate) if rate else 0 for rate in rates]
        needed = ceil(10 * clock(*least) / 3600 / _PLANNED) / 10
        whole = f'; an epoch of pre-training has {epoch} iterations'
        raise UserValueError(
            f'--hours {hours:g}: that is too little for {len(kinds[0])} '
            f'pre-trainings and {len(kinds[1])} detectors, which take '
            f'{clock(0, 0) / 3600:.1f} hours to start and to evaluate alone'
            f'{whole if epoch > 1 else ""}. At least {needed} hours, fewer '
            '--fractions, --seeds or --candidates, or --iterations'
        )
    return pretraining, detector


def _clock(
    runs: Sequence[Run],
    seconds: Mapping[str, Seconds],
    jobs: int,
    pretraining: int,
    detector: int,
) -> float:
    """Seconds of all runs together, of so many iterations."""

    def seconds_of(run: Run) -> float:
        """By its kind."""
        is_detector = isinstance(run, DetectorRun)
        length = detector if is_detector else pretraining
        return seconds[kind_of(run)].of(length)

    return wall_clock(runs, seconds_of, jobs)


def _lengths(most: Sequence[float], step: int) -> tuple[int, int]:
    pretraining, detector = (int(each * step / _STEPS) for each in most)
    return pretraining, detector
