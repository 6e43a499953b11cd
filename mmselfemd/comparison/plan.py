"""The runs that answer what a comparison was asked for."""

from dataclasses import dataclass
from pathlib import Path

from mmselfemd.process_pool import Task

from .candidates import Candidate
from .data import Data, Labels
from .runs import DetectorRun, Run, detector_runs
from .settings import Settings
from .timing import Seconds, kind_of

#: What would be taken for that of another comparison.
_RUN_FOLDERS = ('pretraining', 'detectors', 'readings')


@dataclass(frozen=True)
class Plan:
    """The runs of a comparison.

    Attributes:
        settings (Settings): What was asked for.
        work_dir (Path): Where everything goes.
        candidates (list[Candidate]): What is compared.
        data (Data): The photographs and boxes.
        subsets (dict[float, Labels]): The labelled images of each fraction.
        runs (list[Run]): In the order in which they are started.
        seconds (dict[str, Seconds]): What an iteration takes, by the name of
            a way of pre-training, and of ``detector``.
        num_bytes (int): What it all takes on the disk.
    """

    settings: Settings
    work_dir: Path
    candidates: list[Candidate]
    data: Data
    subsets: dict[float, Labels]
    runs: list[Run]
    seconds: dict[str, Seconds]
    num_bytes: int

    @property
    def val_file(self) -> Path:
        """The annotations that detectors are evaluated on, mended."""
        return data_file(self.work_dir, 'val.json')

    @property
    def tasks(self) -> list[Task]:
        """What is to be done, in order."""
        return [run.task for run in self.runs]

    def seconds_of(self, run: Run) -> float:
        """What a run takes, by the estimate.

        Args:
            run (Run): One of the plan.

        Returns:
            float: Seconds.
        """
        return self.seconds[kind_of(run)].of(run.iterations)

    def detectors(
        self, candidate: Candidate, fraction: float
    ) -> list[DetectorRun]:
        """The detectors of a candidate on a share of the labels.

        Args:
            candidate (Candidate): The candidate.
            fraction (float): The share.

        Returns:
            list[DetectorRun]: One for each seed.
        """
        return [
            run
            for run in detector_runs(self.runs)
            if (run.candidate, run.fraction) == (candidate, fraction)
        ]


def has_begun(work_dir: Path) -> bool:
    """Whether the runs, or the readings, of a comparison have begun.

    Args:
        work_dir (Path): Its folder.

    Returns:
        bool: Until then it can be asked for something else.
    """
    return any((work_dir / each).exists() for each in _RUN_FOLDERS)


def data_file(work_dir: Path, name: str) -> Path:
    """Where a file of data is that the runs read.

    Args:
        work_dir (Path): Folder of the comparison.
        name (str): Such as ``val.json``.

    Returns:
        Path: The file.
    """
    return work_dir / 'data' / name
