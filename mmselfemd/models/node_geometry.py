"""Where the nodes of a view lie in its image.

Coordinates are continuous: pixel k of an image spans [k, k + 1].
"""

from collections.abc import Mapping
from math import ceil, log2

import numpy as np
import torch

from .necks import SPCNeck

STRIDE = 32


def network_stride(size: int, num_cells: int) -> int:
    """Stride of a network, from a view and the map that it gave.

    Args:
        size (int): Side of the view, in pixels.
        num_cells (int): Side of the map.

    Returns:
        int: The power of two nearest to their ratio: 32 for the 7 x 7 map of
        a 224 view and for the 4 x 4 map of a 112 view.
    """
    return 2 ** round(log2(size / num_cells))


def receptive_field_centres(
    num_cells: int, stride: int = STRIDE
) -> np.ndarray:
    """Centres of the receptive fields of a square map, in its view.

    With strided, padded convolutions cell i looks at the surroundings of
    pixel ``stride * i``: not of the middle ``stride * (i + 1/2)`` of its share
    of the view.

    Args:
        num_cells (int): Side of the map.
        stride (int): Stride of the network, in pixels. Defaults to 32.

    Returns:
        np.ndarray: (x, y) of each node, row by row, (num_cells ** 2, 2).
    """
    along = stride * np.arange(num_cells) + 0.5
    return np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2)


def nodes_in_image(view: Mapping, num_cells: int | None = None) -> np.ndarray:
    """Centres of the nodes of a view, in the image that it was cut from.

    Args:
        view (Mapping): ``box`` (left, top, width, height in pixels of the
            image), ``flip`` and ``size``, as ``CutViews`` gives them.
        num_cells (int, optional): Side of the map. Defaults to None: that
            of a network of stride 32.

    Returns:
        np.ndarray: (x, y) of each node in the image, (N, 2).
    """
    if num_cells is None:
        num_cells, stride = ceil(view['size'] / STRIDE), STRIDE
    else:
        stride = network_stride(view['size'], num_cells)
    centres = receptive_field_centres(num_cells, stride)
    if view['flip']:
        centres[:, 0] = view['size'] - centres[:, 0]
    left, top, width, height = view['box']
    return np.array((left, top)) + centres / view['size'] * (width, height)


def pyramid_places(
    view: Mapping, num_nodes: int, pyramid: SPCNeck
) -> tuple[np.ndarray, int]:
    """Where the nodes of a pyramid lie in the image of their view.

    A pooled node lies at the mean of the centres that it pools.

    Args:
        view (Mapping): Geometry of the view, see :func:`nodes_in_image`.
        num_nodes (int): Number N of nodes.
        pyramid (SPCNeck): The pyramid that made them.

    Returns:
        tuple[np.ndarray, int]: (x, y) of each node, (N, 2), and the side of
        the map.

    Raises:
        ValueError: If no square map gives so many nodes.
    """
    for side in range(1, int(num_nodes**0.5) + 1):
        centres = torch.from_numpy(nodes_in_image(view, side))
        places = pyramid.pyramid(centres.mT.reshape(1, 2, side, side))[0]
        if len(places) == num_nodes:
            return places.numpy(), side
    raise ValueError(f'no square map gives {num_nodes} nodes by {pyramid}')


def correspondences(
    view1: Mapping,
    view2: Mapping,
    num_cells: int | None = None,
) -> np.ndarray:
    """Which nodes of two views of an image lie at the same place.

    Two do where their centres are within one cell of view 2, its box on the
    image divided by the side of the map, horizontally and vertically.

    Args:
        view1 (Mapping): Geometry of view 1, see :func:`nodes_in_image`.
        view2 (Mapping): Geometry of view 2.
        num_cells (int, optional): Side of both maps. Defaults to None: those
            of a network of stride 32.

    Returns:
        np.ndarray: Boolean, (N, M).
    """
    nodes1 = nodes_in_image(view1, num_cells)
    nodes2 = nodes_in_image(view2, num_cells)
    return within_a_cell(
        nodes1, nodes2, np.array(view2['box'][2:]) / np.sqrt(len(nodes2))
    )


def within_a_cell(
    nodes1: np.ndarray, nodes2: np.ndarray, cell: np.ndarray
) -> np.ndarray:
    """Which places lie within one cell of each other.

    Args:
        nodes1 (np.ndarray): Places (x, y), (N, 2).
        nodes2 (np.ndarray): Places (x, y), (M, 2).
        cell (np.ndarray): Width and height of a cell, (2, ).

    Returns:
        np.ndarray: Boolean, (N, M).
    """
    distance = np.abs(nodes1[:, None] - nodes2[None]) / cell
    # The tolerance keeps rounding from deciding at exactly one cell.
    return (distance <= 1 + 1e-6).all(-1)


def overlap(view1: Mapping, view2: Mapping) -> float:
    """Intersection over union of two views' boxes on their image.

    Args:
        view1 (Mapping): Geometry of view 1, of which ``box`` is used.
        view2 (Mapping): Geometry of view 2.

    Returns:
        float: In [0, 1].
    """
    (left1, top1, width1, height1), (left2, top2, width2, height2) = (
        view['box'] for view in (view1, view2)
    )
    across = min(left1 + width1, left2 + width2) - max(left1, left2)
    down = min(top1 + height1, top2 + height2) - max(top1, top2)
    shared = max(across, 0) * max(down, 0)
    return shared / (width1 * height1 + width2 * height2 - shared)
