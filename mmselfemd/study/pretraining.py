"""Runs of the candidates, side by side, each of which can be resumed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmselfemd.errors import UserError
from mmselfemd.process_pool import Task, run_tasks

from .beginning import untrained_path
from .candidates import Candidate

#: Folder in the study's of what was read.
READINGS = 'readings'


class Run(NamedTuple):
    """One pre-training.

    Attributes:
        candidate (Candidate): What is trained.
        seed (int): ``randomness.seed``.
        config (Path): Its config.
        work_dir (Path): Where its logs and checkpoints go.
        epochs (int): How long.
        interval (int): Epochs from one checkpoint to the next.
    """

    candidate: Candidate
    seed: int
    config: Path
    work_dir: Path
    epochs: int
    interval: int

    @property
    def name(self) -> str:
        """Name of the run, and of its folder."""
        return self.work_dir.name

    @property
    def checkpoints(self) -> dict[int, Path]:
        """By epoch, as far as the run has come."""
        return _files({e: self.work_dir / f'epoch_{e}.pth' for e in self._at})

    @property
    def readings(self) -> dict[int, Path]:
        """By epoch, those that were made, here or on another machine."""
        return _files({e: self.reading_path(e) for e in self._at})

    @property
    def is_done(self) -> bool:
        """Whether it was trained to its end, here or on another machine."""
        return self.epochs in self.checkpoints or [*self.readings] == self._at

    def reading_path(self, epoch: int) -> Path:
        """Where the reading of a checkpoint is kept.

        Args:
            epoch (int): Of the checkpoint.

        Returns:
            Path: A ``.npz`` file, there or not.
        """
        return self.work_dir.parent / READINGS / f'{self.name}_{epoch}.npz'

    @property
    def _at(self) -> list[int]:
        return [*range(self.interval, self.epochs + 1, self.interval)]

    def options(self) -> dict[str, Any]:
        """What differs from the config, for ``--cfg-options``."""
        beginning = untrained_path(self.work_dir.parent, self.seed).resolve()
        return {
            'model.backbone.init_cfg.type': 'Pretrained',
            'model.backbone.init_cfg.checkpoint': str(beginning),
            'randomness.seed': self.seed,
            'train_cfg.max_epochs': self.epochs,
            'train_cfg.val_interval': self.interval,
            'param_scheduler.1.end': self.epochs,
            'param_scheduler.1.T_max': self.epochs - 1,
            'default_hooks.checkpoint.interval': self.interval,
            'default_hooks.checkpoint.max_keep_ckpts': -1,
            'default_hooks.checkpoint.save_best': None,
        }


def _files(paths: dict[int, Path]) -> dict[int, Path]:
    return {epoch: path for epoch, path in paths.items() if path.is_file()}


def plan_runs(
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    configs: Path,
    work_dir: Path,
    epochs: int,
    interval: int,
) -> list[Run]:
    """The runs of a study: all candidates of a seed, then the next seed.

    Args:
        candidates (Sequence[Candidate]): What is compared.
        seeds (Sequence[int]): One run of each candidate for each.
        configs (Path): Folder of the candidates' configs.
        work_dir (Path): Folder of the study.
        epochs (int): Length of a run, at least 2.
        interval (int): Epochs from one checkpoint to the next.

    Returns:
        list[Run]: In the order in which they are trained.

    Raises:
        UserError: If the checkpoints would miss the last epoch.
    """
    if epochs < 2 or interval < 1 or epochs % interval:
        raise UserError(
            f'{epochs} epochs, a checkpoint every {interval}: take at least '
            '2 epochs, and an interval that divides them'
        )
    return [
        Run(
            candidate,
            seed,
            configs / f'{candidate.config}.py',
            # The learning rate of another length is another at each epoch.
            work_dir / f'{candidate.name}_{seed}_{epochs}epochs',
            epochs,
            interval,
        )
        for seed in seeds
        for candidate in candidates
    ]


def worker_options(num_gpus: int, num_cores: int, jobs: int) -> dict[str, int]:
    """Workers that keep a GPU busy; which one cuts an image changes nothing.

    Args:
        num_gpus (int): GPUs of the machine.
        num_cores (int): Cores of its CPU.
        jobs (int): How many runs there are at a time.

    Returns:
        dict[str, int]: For ``--cfg-options``: to each run its share of the
        cores, two at least. Empty without a GPU: the config's own.
    """
    if not num_gpus:
        return {}
    return {'train_dataloader.num_workers': max(2, num_cores // jobs)}


def pretrain(
    runs: Sequence[Run],
    train_tool: Path,
    options: Mapping[str, Any] | None = None,
    jobs: int = 1,
    deadline: float | None = None,
    report: Callable[[str], None] = print,
) -> None:
    """Train what is not trained yet.

    Each run is a process of ``tools/train.py --resume``, see
    :func:`~mmselfemd.process_pool.run_tasks`; the next call goes on
    from what it saved.

    Args:
        runs (Sequence[Run]): The runs.
        train_tool (Path): ``tools/train.py``.
        options (Mapping[str, Any], optional): More of ``--cfg-options``, for
            all. Defaults to None.
        jobs (int): How many run at a time. Defaults to 1.
        deadline (float, optional): When to end, by ``time.time()``.
            Defaults to None.
        report (Callable): Given a line when a run starts or ends.

    Raises:
        UserError: If a run fails, with the place of its log; the others are
            asked to end first.
    """
    run_tasks(
        [_task(run, train_tool, options or {}) for run in runs],
        jobs,
        deadline=deadline,
        report=report,
    )


def _task(run: Run, train_tool: Path, options: Mapping[str, Any]) -> Task:
    command = [sys.executable, str(train_tool), str(run.config)]
    command += ['--work-dir', str(run.work_dir), '--resume']
    both = run.options() | options
    command += ['--cfg-options', *(f'{k}={v}' for k, v in both.items())]
    return Task(
        run.name,
        run.work_dir / 'train.log',
        lambda: None if run.is_done else command,
    )
