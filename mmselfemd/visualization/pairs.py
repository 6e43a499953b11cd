"""From views and flows to the pairs that Fig. 5 shows."""

from collections.abc import Mapping, Sequence

import mmcv
import numpy as np

from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.evaluation.geometry import (
    nodes_in_image,
    receptive_field_centres,
)

from .matching import MatchingPair


def matching_pair(
    image: np.ndarray,
    views: Sequence[Mapping],
    flows: Sequence[np.ndarray],
    num_positions: int = 2,
) -> MatchingPair:
    """Cut the two crops again, without colour jitter, and choose positions.

    The positions are the nodes of crop 1 with the most contrast around them
    among those whose place crop 2 shows too, apart from each other. What the
    flows are has no say in it.

    Args:
        image (np.ndarray): The image, RGB, (H, W, 3), uint8.
        views (Sequence[Mapping]): Geometry of the two views, as ``CutViews``
            gives it.
        flows (Sequence[np.ndarray]): Flows to show side by side, each
            (N, N) between the maps of the views.
        num_positions (int): How many positions at the most. Defaults to 2.

    Returns:
        MatchingPair: What :func:`draw_matching_figure` draws.

    Raises:
        ValueError: If crop 2 shows the place of no node of crop 1.
    """
    num_cells = round(len(flows[0]) ** 0.5)
    crops = [cut_view(image, **view) for view in views]
    centres = receptive_field_centres(num_cells) - 0.5
    places = [
        _in_view(node, views[1])
        for node in nodes_in_image(views[0], num_cells)
    ]
    shared = [node for node, place in enumerate(places) if place is not None]
    if not shared:
        raise ValueError('no node of view 1 lies in view 2')
    positions = _choose(crops[0], centres, shared, num_positions)
    return MatchingPair(
        *crops,
        flows=flows,
        positions=positions,
        centres1=centres,
        centres2=centres,
        targets=[places[position] for position in positions],
    )


def _choose(
    crop: np.ndarray,
    centres: np.ndarray,
    nodes: Sequence[int],
    num_positions: int,
) -> list[int]:
    """Those with the most contrast around them, 64 pixels apart."""

    def contrast(node: int) -> float:
        x, y = centres[node].astype(int)
        around = crop[max(y - 24, 0) : y + 25, max(x - 24, 0) : x + 25]
        return around.std((0, 1)).sum()

    chosen: list[int] = []
    for node in sorted(nodes, key=contrast, reverse=True):
        apart = [np.abs(centres[node] - centres[one]).max() for one in chosen]
        if all(distance >= 64 for distance in apart):
            chosen.append(node)
    return chosen[:num_positions]


def _in_view(place: np.ndarray, view: Mapping) -> tuple[float, float] | None:
    """A place of the image in pixels of a view, if the view shows it."""
    left, top, width, height = view['box']
    x, y = (place - (left, top)) / (width, height) * view['size']
    x = view['size'] - x if view['flip'] else x
    if not (0 <= x <= view['size'] and 0 <= y <= view['size']):
        return None
    return float(x) - 0.5, float(y) - 0.5


def read_rgb(path: str) -> np.ndarray:
    """Read an image.

    Args:
        path (str): Its path.

    Returns:
        np.ndarray: The image, RGB, (H, W, 3), uint8.
    """
    return mmcv.imread(path, channel_order='rgb')
