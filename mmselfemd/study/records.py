"""The readings of a study on disk, and what they say together."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmselfemd.atomic_file import atomic_write
from mmselfemd.evaluation import paired_differences
from mmselfemd.saved_arrays import load_arrays

from .candidates import BASELINE
from .differences import Difference, paired_difference
from .origin import Origin
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


def save_sums(path: Path, sums: Sums, origin: Origin | None = None) -> None:
    """Keep a reading, whole or not at all.

    Args:
        path (Path): A ``.npz`` file.
        sums (dict[str, np.ndarray]): What was counted in each image.
        origin (Origin, optional): What it was read from. Defaults to None:
            not kept.
    """
    about = {} if origin is None else origin._asdict()
    with atomic_write(path) as file:
        np.savez_compressed(file, **sums, **about)


def load_sums(path: Path, origin: Origin | None = None) -> Sums:
    """Read what :func:`save_sums` kept, here or on another machine.

    Args:
        path (Path): A ``.npz`` file.
        origin (Origin, optional): What it has to be read from. Defaults to
            None: from anything.

    Returns:
        dict[str, np.ndarray]: What was counted in each image.

    Raises:
        UserValueError: If the file is damaged, or of another origin.
    """
    names = [*STATISTICS, *(Origin._fields if origin else ())]
    arrays = load_arrays(path, names, 'reading of this study')
    if origin is not None:
        origin.check(path, Origin(*(arrays.pop(n) for n in Origin._fields)))
    return arrays


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
