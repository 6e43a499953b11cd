"""Detectors that were evaluated on the same images, compared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mmselfemd.errors import UserValueError

from .detection_matches import DetectionMatches
from .difference import Difference, estimate_difference
from .metrics import METRICS

#: Fewer draws tell no spread; a few show what is computed, as tests do.
_FEWEST_RESAMPLES = 5


def compare(
    first: Sequence[DetectionMatches],
    second: Sequence[DetectionMatches],
    metric: str = 'AP50',
    resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """By how much the first detector is better than the second.

    Args:
        first (Sequence[DetectionMatches]): One for each seed.
        second (Sequence[DetectionMatches]): One for each of the same seeds,
            in their order, on the same images.
        metric (str): One of :data:`METRICS`. Defaults to ``AP50``.
        resamples (int): How often images are drawn. Defaults to 1000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        Difference: Mean and interval.

    Raises:
        UserValueError: If the two are not of the same number of seeds, images
            and categories, or there is nothing of that size to find.
    """
    found = compare_metrics(first, second, [metric], resamples, seed)
    if metric not in found:
        raise UserValueError(
            f'{metric} does not exist: there is no such object in the '
            'annotations'
        )
    return found[metric]


def compare_metrics(
    first: Sequence[DetectionMatches],
    second: Sequence[DetectionMatches],
    metrics: Sequence[str] = tuple(METRICS),
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """As :func:`compare`, for several figures of the same draws.

    Each interval holds by itself: of twenty figures one is outside by chance.

    Args:
        first (Sequence[DetectionMatches]): One for each seed.
        second (Sequence[DetectionMatches]): One for each of the same seeds.
        metrics (Sequence[str]): Out of :data:`METRICS`. Defaults to all.
        resamples (int): How often images are drawn. Defaults to 1000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        dict[str, Difference]: By metric; without those that have nothing to
        find.

    Raises:
        UserValueError: As :func:`compare`.
    """
    found = _resample(first, second, metrics, resamples, seed)
    counts = [first[0].images_with_objects(each)[0] for each in metrics]
    by_name = _by_name(found[:, :, :, 0], metrics, metrics, counts, first)
    best = np.maximum(*(_means(runs, metrics) for runs in (first, second)))
    levels = dict(zip(metrics, best.tolist(), strict=True))
    return {
        name: replace(difference, best=levels[name])
        for name, difference in by_name.items()
    }


def compare_classes(
    first: Sequence[DetectionMatches],
    second: Sequence[DetectionMatches],
    metric: str = 'AP50',
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """As :func:`compare`, class by class.

    Args:
        first (Sequence[DetectionMatches]): One for each seed.
        second (Sequence[DetectionMatches]): One for each of the same seeds.
        metric (str): One of :data:`METRICS`. Defaults to ``AP50``.
        resamples (int): How often images are drawn. Defaults to 1000.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        dict[str, Difference]: By name of the class; without those that have
        nothing to find.

    Raises:
        UserValueError: As :func:`compare`.
    """
    found = _resample(first, second, [metric], resamples, seed)
    names = first[0].category_names.tolist()
    counts = first[0].images_with_objects(metric)[1:]
    metrics = [metric] * len(names)
    return _by_name(found[:, :, 0, 1:], names, metrics, counts, first)


def _resample(
    first: Sequence[DetectionMatches],
    second: Sequence[DetectionMatches],
    metrics: Sequence[str],
    resamples: int,
    seed: int,
) -> np.ndarray:
    """Differences of the whole, then of each draw, (1 + R, S, F, 1 + K)."""
    _check_pairs(first, second)
    if resamples < _FEWEST_RESAMPLES:
        raise UserValueError(
            f'{resamples} resamples are too few for an interval: expected '
            f'{_FEWEST_RESAMPLES} or more; 1000 are usual'
        )
    num_images = len(first[0].image_ids)
    draws = np.random.default_rng(seed).multinomial(
        num_images, np.full(num_images, 1 / num_images), resamples
    )
    weights = np.concatenate([np.ones((1, num_images), int), draws])
    return np.stack(
        [
            one.resampled(weights, metrics) - other.resampled(weights, metrics)
            for one, other in zip(first, second, strict=True)
        ],
        axis=1,
    )


def _means(
    runs: Sequence[DetectionMatches], metrics: Sequence[str]
) -> np.ndarray:
    """Figures of all images, mean over the seeds."""
    whole = np.ones((1, len(runs[0].image_ids)), int)
    return np.mean([m.resampled(whole, metrics)[0, :, 0] for m in runs], 0)


def _by_name(
    found: np.ndarray,
    names: Sequence[str],
    metrics: Sequence[str],
    counts: Sequence[int],
    matches: Sequence[DetectionMatches],
) -> dict[str, Difference]:
    """Of those that there are; ``found`` is (1 + R, S, names)."""
    num_images = len(matches[0].image_ids)
    return {
        name: estimate_difference(
            found[0, :, place],
            found[1:, :, place],
            num_images,
            metric,
            int(count),
        )
        for place, (name, metric, count) in enumerate(
            zip(names, metrics, counts, strict=True)
        )
        if np.isfinite(found[0, :, place]).all()
    }


def _check_pairs(
    first: Sequence[DetectionMatches], second: Sequence[DetectionMatches]
) -> None:
    if len(first) != len(second) or not first:
        raise UserValueError(
            f'{len(first)} runs of the first and {len(second)} of the second: '
            'runs are compared in pairs, the same seeds of both'
        )
    images = first[0].image_ids
    for other in [*first, *second]:
        if not np.array_equal(other.image_ids, images):
            raise UserValueError(
                f'one was evaluated on {len(images)} images and another on '
                f'{len(other.image_ids)}, which are not the same: evaluate '
                'both with the same annotation file'
            )
        if any(
            not np.array_equal(getattr(other, name), getattr(first[0], name))
            for name in ('category_ids', 'object_start', 'object_image')
        ):
            raise UserValueError(
                'the categories or objects that the two were evaluated with '
                'are not the same: evaluate both with the same annotation file'
            )
    if len(images) < 2:
        raise UserValueError(
            f'{len(images)} image shows nothing about others: expected at '
            'least 2'
        )
