"""The figures of COCO's evaluation that are compared."""

from mmselfemd.errors import UserValueError

from .coco_evaluation import NUM_THRESHOLDS

_ALL = tuple(range(NUM_THRESHOLDS))

#: Area and IoU thresholds, by their places, that each figure is the mean over.
METRICS: dict[str, tuple[int, tuple[int, ...]]] = {
    'AP': (0, _ALL),
    'AP50': (0, (0,)),
    'AP75': (0, (5,)),
    'AP_small': (1, _ALL),
    'AP_medium': (2, _ALL),
    'AP_large': (3, _ALL),
}


def curves_of(metric: str) -> list[tuple[int, int]]:
    """Which curves a figure is the mean over.

    Args:
        metric (str): One of :data:`METRICS`.

    Returns:
        list[tuple[int, int]]: Place of the area and of the threshold of each.

    Raises:
        UserValueError: If there is no such figure.
    """
    if metric not in METRICS:
        raise UserValueError(
            f'no such figure: {metric!r}; expected one of '
            + ', '.join(METRICS)
        )
    area, thresholds = METRICS[metric]
    return [(area, threshold) for threshold in thresholds]
