"""The checkpoints of a study's runs, each of which is read once."""

import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from mmengine.config import Config

from .beginning import fingerprint, untrained_path
from .candidates import UNTRAINED
from .origin import Origin, digest_of
from .pretraining import READINGS, Run
from .readings import Reader, annotation_files
from .records import Record, load_sums, save_sums


class _Reading(NamedTuple):
    """What is to be read, or was."""

    candidate: str
    seed: int
    epoch: int
    weights: Path | None
    kept: Path


class CheckpointReader:
    """Reads checkpoints of runs and the untrained backbones, and keeps that.

    Args:
        cfg (Config): Config of a candidate with the study's photographs; all
            have the same backbone, and the same held-out views.
        data (Path): The folder ``voc07_256``.
        work_dir (Path): Folder of the study, with the untrained backbones.
        seeds (Sequence[int]): The seeds of the runs.
        report (Callable): Given a line for what is read. Defaults to print.
    """

    def __init__(
        self,
        cfg: Config,
        data: Path,
        work_dir: Path,
        seeds: Sequence[int],
        report: Callable[[str], None] = print,
    ) -> None:
        self.cfg = cfg
        self.data = data
        self.work_dir = work_dir
        self.report = report
        digest = digest_of(annotation_files(data).values())
        self.origins = {
            seed: Origin(fingerprint(untrained_path(work_dir, seed)), digest)
            for seed in seeds
        }

    @cached_property
    def reader(self) -> Reader:
        """It cuts the boxes, once for all, where anything is to be read."""
        files = annotation_files(self.data).values()
        boxes = [(file, self.data / 'images') for file in files]
        return Reader(self.cfg, boxes)

    def check(self, runs: Sequence[Run]) -> None:
        """Raise if a reading that is kept is not of this study.

        Args:
            runs (Sequence[Run]): The runs.

        Raises:
            UserValueError: See :meth:`Origin.check`.
        """
        for each in self._readings(runs):
            if each.kept.exists():
                load_sums(each.kept, self.origins[each.seed])

    def read(self, runs: Sequence[Run]) -> list[Record]:
        """Read what was not read before, here or on another machine.

        Args:
            runs (Sequence[Run]): The runs, as far as they have come.

        Returns:
            list[Record]: Of all checkpoints, and of the untrained backbones.

        Raises:
            UserValueError: If a reading that is kept is not of this study.
        """
        records = []
        for each in self._readings(runs):
            origin = self.origins[each.seed]
            if not each.kept.is_file():
                self.report(f'reading {each.kept.stem}')
                sums = self.reader.read(each.weights, each.seed)
                save_sums(each.kept, sums, origin)
            sums = load_sums(each.kept, origin)
            names = each.candidate, each.seed, each.epoch
            records.append(Record(*names, sums))
        return records

    def seconds(self) -> float:
        """How long a reading takes, by one of an untrained backbone."""
        reader = self.reader  # what it takes to cut the boxes is spent once
        start = time.monotonic()
        reader.read(None)
        return time.monotonic() - start

    def _readings(self, runs: Sequence[Run]) -> list[_Reading]:
        return [
            _Reading(
                *(UNTRAINED, seed, 0),
                untrained_path(self.work_dir, seed),
                self.work_dir / READINGS / f'{UNTRAINED}_{seed}.npz',
            )
            for seed in self.origins
        ] + [
            _Reading(
                *(run.candidate.name, run.seed, epoch),
                run.checkpoints.get(epoch),
                run.reading_path(epoch),
            )
            for run in runs
            for epoch in sorted(run.checkpoints | run.readings)
        ]
