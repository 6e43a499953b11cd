"""Standard errors by a bootstrap over images.

What is counted in one image, nodes or boxes, is not independent: a binomial
standard error is too small. Here whole images are drawn with replacement
(Efron and Tibshirani 1993, the bootstrap of clusters), and each figure is
computed again from the sums over those that were drawn. As the same images
are drawn for every network, differences between networks are paired.

``scipy.stats.bootstrap`` would gather every image's sums once for each
resample and could not pair two calls of it; here a resample is a vector of
counts.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmselfemd.plurals import counted

#: Makes named figures of sums over images, ``(..., *shape)``: ``(...)`` each.
Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


class Estimate(NamedTuple):
    """A figure and how far it is from that of all images there could be.

    Attributes:
        value (float): The figure itself.
        error (float): Its standard error; NaN for fewer than two images.
        low (float): Lower end of its 95 % interval, by percentiles.
        high (float): Upper end.
    """

    value: float
    error: float
    low: float
    high: float


def bootstrap(
    sums: np.ndarray,
    statistic: Statistic,
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Figures of a network with their standard errors.

    Args:
        sums (np.ndarray): What was counted in each image, ``(I, *shape)``. Or
            in S networks on the same images, such as the seeds of a recipe,
            ``(I, S, *shape)``: the mean of their figures is estimated. The
            error is that of the choice of images; the spread over seeds is
            not in it.
        statistic (Callable): Makes figures of sums over images. Its input
            may have leading axes, which its figures keep.
        num_resamples (int): How often images are drawn. Defaults to 1000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        dict[str, Estimate]: For each figure of the statistic.

    Raises:
        ValueError: If there is no image.
    """
    figures = _resample(sums, statistic, num_resamples, seed)
    return {name: _estimate(values) for name, values in figures.items()}


def paired_differences(
    sums: np.ndarray,
    reference: np.ndarray,
    statistic: Statistic,
    num_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """By how much the figures of a network exceed those of another.

    Args:
        sums (np.ndarray): What was counted in each image with a network, see
            :func:`bootstrap`.
        reference (np.ndarray): With the other, on the same images in the
            same order.
        statistic (Callable): Makes figures of sums over images.
        num_resamples (int): How often images are drawn. Defaults to 1000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        dict[str, Estimate]: For each figure of the statistic.

    Raises:
        ValueError: If there is no image, or not as many in both.
    """
    if len(sums) != len(reference):
        raise ValueError(
            'differences are paired by image, but one network was measured '
            f'on {counted(len(sums), "image")} and the other on '
            f'{len(reference)}'
        )
    figures, others = (
        _resample(part, statistic, num_resamples, seed)
        for part in (sums, reference)
    )
    return {
        name: _estimate(values - others[name])
        for name, values in figures.items()
    }


def _resample(
    sums: np.ndarray, statistic: Statistic, num_resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Figures of the sample itself, first, and of each resample."""
    num_images = len(sums)
    if not num_images:
        raise ValueError('there is no image to draw')
    if num_images == 1:  # all resamples would be the same one
        num_resamples = 0
    sums = np.asarray(sums, float)
    # How often each image is drawn: the row of a resample.
    counts = np.random.default_rng(seed).multinomial(
        num_images, np.full(num_images, 1 / num_images), num_resamples
    )
    drawn = np.concatenate([sums.sum(0)[None], np.tensordot(counts, sums, 1)])
    return {
        name: values.reshape(len(drawn), -1).mean(1)  # over networks
        for name, values in statistic(drawn).items()
    }


def _estimate(values: np.ndarray) -> Estimate:
    value, resamples = values[0], values[1:]
    # A resample may lack what the figure needs, such as overlapping views.
    known = resamples[np.isfinite(resamples)]
    if not np.isfinite(value) or len(known) < 2:
        return Estimate(float(value), *[float('nan')] * 3)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(
        float(value), float(known.std(ddof=1)), float(low), float(high)
    )
