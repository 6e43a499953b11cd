"""What the seeds read, each figure beside its controls, with intervals."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mmselfemd.comparison import half_width

from .finished_run import FinishedRun

__all__ = ['Reading', 'by_full_name', 'readings_of', 'table_of']

# What it is called, where a summary has it, and what it is a control of. The
# figures of detectors are in percent, as everywhere.
_RANDOM = 'detector_from_random_weights'
_FIGURES = (
    ('matching accuracy', 'pretrain', 'matching_accuracy'),
    ('- by position alone', 'pretrain', 'matching_same_position'),
    ('- in another image', 'pretrain', 'matching_other_image'),
    ('- of the untrained network', 'pretrain', 'matching_accuracy_untrained'),
    ('- by chance', 'pretrain', 'matching_chance'),
    ('gain over another image', 'pretrain', 'matching_gain'),
    ('- of the untrained network', 'pretrain', 'matching_gain_untrained'),
    ("the loss's own flow", 'flow', 'own_flow'),
    ('- by position alone', 'flow', 'own_flow_same_position'),
    ('- in another image', 'flow', 'own_flow_other_image'),
    ('- by chance', 'flow', 'own_flow_chance'),
)
_DETECTORS = (('box AP50', 'bbox_mAP_50'), ('box AP', 'bbox_mAP'))


class Reading(NamedTuple):
    """One figure of every seed.

    Attributes:
        name (str): What it is; a control's begins with ``-``.
        values (list[float]): Of each seed.
        digits (int): Behind the point.
    """

    name: str
    values: list[float]
    digits: int = 3

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.values))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The mean's 95 % interval by Student's t; None for one seed."""
        count = len(self.values)
        if count < 2:
            return None
        half = half_width(float(np.var(self.values, ddof=1)), count, 0.0)
        return self.mean - half, self.mean + half

    @property
    def interval_text(self) -> str:
        """The interval in words; of several seeds alone."""
        low, high = (f'{end:.{self.digits}f}' for end in self.interval)
        return f'{low} to {high}'

    def cells(self) -> Iterator[str]:
        """The row of a table: name, each seed, mean with its interval."""
        yield self.name
        sign = '+' if self.name.startswith('- difference') else ''
        for value in self.values:
            yield f'{value:{sign}.{self.digits}f}'
        mean = f'{self.mean:{sign}.{self.digits}f}'
        if self.interval is None:
            yield f'{mean} (one seed)'
        else:
            yield f'{mean} [{self.interval_text}]'


def readings_of(runs: Sequence[FinishedRun]) -> list[Reading]:
    """Collect what the runs read.

    Args:
        runs (Sequence[FinishedRun]): One for each seed.

    Returns:
        list[Reading]: Each figure, followed by its controls. What a run did
        not measure is NaN.
    """

    def values(part: str, figure: str, scale: float = 1) -> list[float]:
        summaries = (run.summary.get(part, {}) for run in runs)
        return [scale * each.get(figure, np.nan) for each in summaries]

    found = [
        Reading(name, values(part, figure)) for name, part, figure in _FIGURES
    ]
    for name, figure in _DETECTORS:
        own, random = (
            values(part, figure, 100) for part in ('detector', _RANDOM)
        )
        difference = np.subtract(own, random).tolist()
        found += [
            Reading(f'{name} of a detector from it', own, 1),
            Reading('- from random weights', random, 1),
            Reading('- difference, seed by seed', difference, 1),
        ]
    return found


def by_full_name(readings: Sequence[Reading]) -> dict[str, Reading]:
    """Call each control by what it is a control of, too.

    Args:
        readings (Sequence[Reading]): From :func:`readings_of`.

    Returns:
        dict[str, Reading]: The readings.
    """
    found, last = {}, ''
    for reading in readings:
        if reading.name.startswith('-'):
            found[last + reading.name[1:]] = reading
        else:
            last = reading.name
            found[last] = reading
    return found


def table_of(runs: Sequence[FinishedRun]) -> str:
    """Lay the readings out as a table in Markdown.

    Args:
        runs (Sequence[FinishedRun]): One for each seed.

    Returns:
        str: The table.
    """
    head = ['', *(f'seed {run.seed}' for run in runs), 'mean [95 %]']
    rows = [head, ['---'] * len(head)]
    rows += [reading.cells() for reading in readings_of(runs)]
    return '\n'.join(f'| {" | ".join(row)} |' for row in rows)
