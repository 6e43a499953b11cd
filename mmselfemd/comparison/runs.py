"""The runs of a comparison, each of which goes on from what is on the disk."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmselfemd.process_pool import Task
from mmselfemd.tools_folder import tools_folder
from mmselfemd.visualization.curve_sources import read_curves

from .candidates import Candidate


def share_name(fraction: float) -> str:
    """A share of the labelled images, for people.

    Args:
        fraction (float): In (0, 1].

    Returns:
        str: In per cent.
    """
    return f'{100 * fraction:g} % of the labels'


@dataclass(frozen=True)
class PretrainingRun:
    """A pre-training of a candidate with a seed.

    Attributes:
        candidate (Candidate): What is trained.
        fraction (float | None): Share of the labels that it learns from; None
            if it learns from none.
        seed (int): ``randomness.seed``.
        config (Path): Its config.
        work_dir (Path): Where its logs and checkpoints go.
        last (str): Name of its last checkpoint.
        iterations (int): How long it is.
        backbone (Path): Where the backbone goes at the end.
    """

    candidate: Candidate
    fraction: float | None
    seed: int
    config: Path
    work_dir: Path
    last: str
    iterations: int
    backbone: Path

    @property
    def name(self) -> str:
        """For people."""
        of = f'{self.candidate.name}, seed {self.seed}: pre-training'
        return ', '.join([of, *self._shares])

    @property
    def label(self) -> str:
        """In figures of pre-training."""
        of = f'{self.candidate.label}, seed {self.seed}'
        return ', '.join([of, *self._shares])

    @property
    def _shares(self) -> list[str]:
        return [] if self.fraction is None else [share_name(self.fraction)]

    @property
    def task(self) -> Task:
        """What is to be done."""
        return Task(self.name, self.work_dir / 'log.txt', self.next_command)

    @property
    def is_done(self) -> bool:
        """Whether the backbone is there."""
        return self.backbone.is_file()

    def next_command(self) -> list[str] | None:
        """What to start next; None when the backbone is there."""
        if self.is_done:
            return None
        last = self.work_dir / self.last
        if last.is_file():
            return _python(
                'model_converters/extract_backbone.py', last, self.backbone
            )
        return _python(
            *('train.py', self.config, '--work-dir', self.work_dir),
            *('--resume', '--cfg-options', f'randomness.seed={self.seed}'),
        )


@dataclass(frozen=True)
class DetectorRun:
    """A detector of a candidate, on a share of the labels, with a seed.

    Attributes:
        candidate (Candidate): Where its backbone begins.
        fraction (float): Share of the labelled images.
        seed (int): ``randomness.seed``.
        config (Path): Its config, that of all candidates.
        work_dir (Path): Where its logs and checkpoints go.
        last (str): Name of its last checkpoint.
        iterations (int): How long it is.
        pretrained (str | None): What the backbone is loaded from.
    """

    candidate: Candidate
    fraction: float
    seed: int
    config: Path
    work_dir: Path
    last: str
    iterations: int
    pretrained: str | None

    @property
    def name(self) -> str:
        """For people."""
        share = share_name(self.fraction)
        return f'{self.candidate.name}, seed {self.seed}: detector, {share}'

    @property
    def task(self) -> Task:
        """What is to be done."""
        return Task(
            self.name,
            self.work_dir / 'log.txt',
            self.next_command,
            self._is_ready,
        )

    @property
    def is_done(self) -> bool:
        """Whether its last checkpoint was evaluated."""
        return self.next_command() is None

    @cached_property
    def predictions(self) -> Path:
        """COCO's list of what the detector found on the images of ``val``."""
        return self.work_dir / 'predictions.bbox.json'

    def options(self) -> list[str]:
        """What differs from the config, for ``--cfg-options``."""
        prefix = str(self.predictions).removesuffix('.bbox.json')
        return [
            f'pretrained={self.pretrained}',
            f'randomness.seed={self.seed}',
            f'val_evaluator.outfile_prefix={prefix}',
            f'test_evaluator.outfile_prefix={prefix}',
        ]

    def next_command(self) -> list[str] | None:
        """What to start next; None when all is there."""
        last = self.work_dir / self.last
        where = ('--work-dir', self.work_dir)
        options = ('--cfg-options', *self.options())
        if not last.is_file():
            return _python(
                'train.py', self.config, *where, '--resume', *options
            )
        if self._is_evaluated(last):
            return None
        return _python('test.py', self.config, last, *where, *options)

    def _is_ready(self) -> bool:
        return (
            self.pretrained is None
            or '://' in self.pretrained
            or Path(self.pretrained).is_file()
        )

    def _is_evaluated(self, last: Path) -> bool:
        """Whether the list is whole, and younger than the last checkpoint.

        Evaluations on the way write it, too; the one at the end of training
        follows the checkpoint.
        """
        try:
            if self.predictions.stat().st_mtime < last.stat().st_mtime:
                return False
            with self.predictions.open('rb') as file:
                file.seek(-2, os.SEEK_END)
                return file.read() in (b'}]', b'[]')  # megabytes, else
        except OSError:
            return False


Run = PretrainingRun | DetectorRun


def share_done(run: Run) -> float:
    """How far a run has come, by its log.

    Args:
        run (Run): The run.

    Returns:
        float: In [0, 1].
    """
    if run.is_done:
        return 1.0
    logged = training_log(run)
    return min(1.0, logged[-1]['step'] / run.iterations) if logged else 0.0


def training_log(run: Run) -> list[dict]:
    """What a run has logged of its iterations.

    Args:
        run (Run): The run.

    Returns:
        list[dict]: ``step``, ``loss``, ``time`` and so on, of each start of
        the run behind the one before.
    """
    found = []
    for file in sorted(run.work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            try:
                logged = json.loads(line)
            except ValueError:
                continue  # it is still being written, or never will be
            if 'loss' in logged:  # else it is an evaluation
                found.append(logged)
    return found


def curves_of(run: Run) -> dict:
    """All that a run has logged.

    Args:
        run (Run): A run that has begun.

    Returns:
        dict[str, tuple[list, list]]: Steps and values of each figure.
    """
    return read_curves(run.work_dir)


def pretraining_runs(runs: Sequence[Run]) -> list[PretrainingRun]:
    """Those of the runs that pre-train.

    Args:
        runs (Sequence[Run]): The runs.

    Returns:
        list[PretrainingRun]: In their order.
    """
    return [run for run in runs if isinstance(run, PretrainingRun)]


def detector_runs(runs: Sequence[Run]) -> list[DetectorRun]:
    """Those of the runs that train detectors.

    Args:
        runs (Sequence[Run]): The runs.

    Returns:
        list[DetectorRun]: In their order.
    """
    return [run for run in runs if isinstance(run, DetectorRun)]


def _python(tool: str, *arguments: object) -> list[str]:
    return [sys.executable, str(tools_folder() / tool), *map(str, arguments)]
