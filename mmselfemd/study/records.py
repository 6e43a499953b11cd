"""The readings of a study on disk, and what they say together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError
from mmselfemd.evaluation import paired_differences

from .candidates import BASELINE
from .differences import Difference, paired_difference
from .readings import STATISTICS, Sums, figures_of


class Record(NamedTuple):
    """One reading.

    Attributes:
        candidate (str): Name of the candidate, or ``untrained``.
        seed (int): Seed of its run.
        epoch (int): Epochs trained.
        sums (dict[str, np.ndarray]): What was counted in each image.
    """

    candidate: str
    seed: int
    epoch: int
    sums: Sums

    def as_json(self) -> dict:
        """The reading without what was counted by image."""
        return dict(
            candidate=self.candidate, seed=self.seed, epoch=self.epoch
        ) | {
            name: round(value, 5)
            for name, value in figures_of(self.sums).items()
        }


def save_sums(
    path: Path, sums: Sums, beginning: np.ndarray | None = None
) -> None:
    """Keep a reading, whole or not at all.

    Args:
        path (Path): A ``.npz`` file.
        sums (dict[str, np.ndarray]): What was counted in each image.
        beginning (np.ndarray, optional): :func:`~.beginning.fingerprint` of
            the backbone that the run began from. Defaults to None: not kept.
    """
    about = {} if beginning is None else dict(beginning=beginning)
    with atomic_write(path) as file:
        np.savez_compressed(file, **sums, **about)


def load_sums(path: Path, beginning: np.ndarray | None = None) -> Sums:
    """Read what :func:`save_sums` kept.

    Args:
        path (Path): A ``.npz`` file, of this machine or of another.
        beginning (np.ndarray, optional): What its run has to have begun from.
            Defaults to None: from anything.

    Returns:
        dict[str, np.ndarray]: What was counted in each image.

    Raises:
        UserValueError: If its run began from another backbone.
    """
    with np.load(path) as file:
        if beginning is not None and not _alike(
            beginning, file.get('beginning', np.zeros(0))
        ):
            raise UserValueError(
                f'{path} was read from a run that began from another '
                'untrained backbone than those of this study, so that they '
                'are no pairs. Take it away, or give another --work-dir.'
            )
        return {name: file[name] for name in STATISTICS}


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and np.allclose(one, other, rtol=1e-4)


def differences_to_baseline(
    records: Iterable[Record], epoch: int
) -> dict[str, dict[str, Difference]]:
    """What each candidate reads above the baseline after so many epochs.

    Paired by seed and by image. Only seeds of which both are read count.

    Args:
        records (Iterable[Record]): The readings.
        epoch (int): Epochs trained; those of the untrained network are held
            against the same baseline.

    Returns:
        dict[str, dict[str, Difference]]: For each candidate, for each figure.
    """
    by_seed: Mapping[str, dict[int, Sums]] = defaultdict(dict)
    for record in records:
        if record.epoch in (0, epoch):
            by_seed[record.candidate][record.seed] = record.sums
    baseline = by_seed.get(BASELINE, {})
    found = {}
    for candidate, runs in by_seed.items():
        seeds = sorted(runs.keys() & baseline.keys())
        if candidate != BASELINE and seeds:
            found[candidate] = differences_of(
                [runs[seed] for seed in seeds],
                [baseline[seed] for seed in seeds],
            )
    return found


def differences_of(
    runs: Sequence[Sums], baseline: Sequence[Sums]
) -> dict[str, Difference]:
    """What networks read above others, paired by seed and by image.

    Args:
        runs (Sequence[dict[str, np.ndarray]]): Readings, one for each seed.
        baseline (Sequence[dict[str, np.ndarray]]): Those of the same seeds.

    Returns:
        dict[str, Difference]: For each figure.
    """
    figures = [
        {name: value - figures_of(other)[name] for name, value in own.items()}
        for own, other in zip(map(figures_of, runs), baseline, strict=True)
    ]
    found = {}
    for kind, statistic in STATISTICS.items():
        pair = (
            np.stack([sums[kind] for sums in part], 1)
            for part in (runs, baseline)
        )
        for name, estimate in paired_differences(*pair, statistic).items():
            values = [by_name[name] for by_name in figures]
            found[name] = paired_difference(values, estimate.error)
    return found
