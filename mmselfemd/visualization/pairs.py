"""From views and flows to the pairs that Fig. 5 shows."""

from collections.abc import Mapping, Sequence
from itertools import islice

import mmcv
import numpy as np
from mmengine.fileio import get

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.evaluation import correspondences, nodes_in_image, overlap

from .matched_crops import MatchingPair


def matching_pair(
    image: np.ndarray,
    views: Sequence[Mapping],
    flows: Sequence[np.ndarray],
    num_positions: int | None = 2,
    others: Sequence[np.ndarray] | None = None,
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
        num_positions (int, optional): How many positions at the most.
            Defaults to 2. None: all nodes of crop 1, in order, also those
            whose place crop 2 does not show.
        others (Sequence[np.ndarray], optional): For each of the flows that to
            view 2 of another image, (N, N). Defaults to None: unknown.

    Returns:
        MatchingPair: What :func:`draw_matching_figure` draws.

    Raises:
        ValueError: If crop 2 shows the place of no node of crop 1.
    """
    crops = [
        cut_view(image, view['box'], view['flip'], view['size'])
        for view in views
    ]
    return matching_pair_of_crops(crops, views, flows, num_positions, others)


def matching_pair_of_crops(
    crops: Sequence[np.ndarray],
    views: Sequence[Mapping],
    flows: Sequence[np.ndarray],
    num_positions: int | None = 2,
    others: Sequence[np.ndarray] | None = None,
) -> MatchingPair:
    """As :func:`matching_pair`, where the crops are there already.

    Args:
        crops (Sequence[np.ndarray]): The two views, RGB, uint8.
        views (Sequence[Mapping]): See :func:`matching_pair`.
        flows (Sequence[np.ndarray]): See :func:`matching_pair`.
        num_positions (int, optional): See :func:`matching_pair`. Defaults
            to 2.
        others (Sequence[np.ndarray], optional): See :func:`matching_pair`.
            Defaults to None.

    Returns:
        MatchingPair: What :func:`draw_matching_figure` draws.

    Raises:
        ValueError: If crop 2 shows the place of no node of crop 1.
    """
    num_cells = round(len(flows[0]) ** 0.5)
    # Where the nodes lie in a view: as in an image that is the view itself.
    size = views[0]['size']
    whole = dict(box=(0, 0, size, size), flip=False, size=size)
    centres = nodes_in_image(whole, num_cells) - 0.5
    places = [
        _in_view(node, views[1])
        for node in nodes_in_image(views[0], num_cells)
    ]
    shared = [node for node, place in enumerate(places) if place is not None]
    if not shared:
        raise ValueError('no node of view 1 lies in view 2')
    positions = (
        list(range(len(places)))
        if num_positions is None
        else _choose(crops[0], centres, shared, num_positions)
    )
    return MatchingPair(
        *crops,
        flows=flows,
        positions=positions,
        centres1=centres,
        centres2=centres,
        targets=[places[position] for position in positions],
        partners=correspondences(*views, num_cells),
        others=others,
    )


def most_overlapping(
    views: Sequence[Sequence[Mapping]], num_cells: int, num_pairs: int = 4
) -> list[int]:
    """Choose the pairs of views that share most.

    Args:
        views (Sequence[Sequence[Mapping]]): For each image the geometry of
            its two views.
        num_cells (int): Side of the views' maps.
        num_pairs (int): How many at the most. Defaults to 4.

    Returns:
        list[int]: Which, largest intersection over union first.

    Raises:
        ValueError: If no two views overlap.
    """
    order = np.argsort([-overlap(*pair) for pair in views], kind='stable')
    usable = (
        int(index)
        for index in order
        if any(
            _in_view(node, views[index][1]) is not None
            for node in nodes_in_image(views[index][0], num_cells)
        )
    )
    chosen = list(islice(usable, num_pairs))
    if not chosen:
        raise ValueError('no node of a view 1 lies in its view 2')
    return chosen


def most_overlapping_pairs(
    images: Sequence[np.ndarray | str],
    views: Sequence[Sequence[Mapping]],
    flows: Sequence[np.ndarray],
    num_pairs: int = 4,
    num_positions: int = 2,
    others: Sequence[np.ndarray] | None = None,
) -> list[MatchingPair]:
    """Those pairs of views that share most, whatever the networks make of it.

    Args:
        images (Sequence[np.ndarray | str]): B images, RGB, (H, W, 3),
            uint8, or their paths; only those that are chosen are read.
        views (Sequence[Sequence[Mapping]]): For each image the geometry of
            its two views.
        flows (Sequence[np.ndarray]): Of each network the flows (B, N, N)
            between the maps of the views, as from
            :func:`mmselfemd.evaluation.match_batch`.
        num_pairs (int): How many pairs at the most. Defaults to 4.
        num_positions (int): How many positions of each at the most.
            Defaults to 2.
        others (Sequence[np.ndarray], optional): Of each network the flows
            (B, N, N) to views of other images. Defaults to None: unknown.

    Returns:
        list[MatchingPair]: For :func:`draw_matching_figure` and
            :func:`draw_flow_lines`; largest overlap first.

    Raises:
        ValueError: If no two views overlap.
    """
    num_cells = round(flows[0].shape[-1] ** 0.5)
    return [
        matching_pair(
            read_rgb(images[index])
            if isinstance(images[index], str)
            else images[index],
            views[index],
            [flow[index] for flow in flows],
            num_positions,
            None if others is None else [flow[index] for flow in others],
        )
        for index in most_overlapping(views, num_cells, num_pairs)
    ]


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


def read_rgb(
    path: str,
    backend_args: dict | None = None,
    mapping: ValueMapping | None = None,
) -> np.ndarray:
    """Read an image of any kind.

    Args:
        path (str): Its path, or its key.
        backend_args (dict, optional): The file backend, see
            :func:`mmengine.fileio.get`. Defaults to None: the local disk.
        mapping (ValueMapping, optional): How 8-bit colour is made of it, see
            :func:`mmselfemd.datasets.image_values.mapping_of`. Defaults to
            None: as it is where nothing is set.

    Returns:
        np.ndarray: The image, RGB, (H, W, 3), uint8.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it does not decode.
    """
    content = get(str(path), backend_args=backend_args)
    return mmcv.bgr2rgb((mapping or ValueMapping()).read(content or b''))
