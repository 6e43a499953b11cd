"""Paired differences, uncertain by the seeds and by the images."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmselfemd.comparison import half_width


class Difference(NamedTuple):
    """What a candidate reads above the baseline.

    Attributes:
        mean (float): Mean over the seeds.
        low (float): Lower end of the interval; NaN for a single seed.
        high (float): Upper end.
        num_seeds (int): How many pairs of runs.
    """

    mean: float
    low: float
    high: float
    num_seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def paired_difference(
    differences: Sequence[float],
    image_error: float,
    confidence: float = 0.95,
) -> Difference:
    """Interval of a mean difference over runs and images.

    Both kinds of noise count: other seeds would train other networks, and
    other images would read them otherwise, see
    :func:`mmselfemd.comparison.half_width`. What a seed and the images do
    together is in both parts, which errs on the wide side.

    Args:
        differences (Sequence[float]): Candidate less baseline, for each seed
            (S,).
        image_error (float): Standard error of their mean by the choice of
            images, from :func:`mmselfemd.evaluation.paired_differences`.
        confidence (float): In (0, 1). Defaults to 0.95.

    Returns:
        Difference: Mean and interval. One seed has no interval.
    """
    differences = np.asarray(differences, float)
    count = len(differences)
    mean = float(differences.mean())
    if count < 2:
        return Difference(mean, float('nan'), float('nan'), count)
    half = half_width(
        differences.var(ddof=1), count, image_error**2, confidence=confidence
    )
    return Difference(mean, mean - half, mean + half, count)
