"""Matching accuracy of a backbone alone, on held-out images."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mmselfemd.models.node_geometry import correspondences
from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.transport import cosine_cost, sinkhorn

from .matching import MatchingResult, score_matching


class BatchFlows(NamedTuple):
    """Flows between the views of a batch of images.

    Attributes:
        flows (np.ndarray): From view 1 to view 2 of each, (B, N, N).
        others (np.ndarray, optional): From view 1 of each to view 2 of
            another image, (B, N, N); None where there is no other.
        views (list[list[dict]]): For each image the geometry of the two.
    """

    flows: np.ndarray
    others: np.ndarray | None
    views: list[list[dict]]


@torch.no_grad()
def match_views(map1: Tensor, map2: Tensor, gamma: float = 0.05) -> Tensor:
    """Flow between the maps of two views, with uniform marginals.

    No head and no pyramid: what the backbone's own features know.

    Args:
        map1 (Tensor): Maps of view 1, (B, C, S, S).
        map2 (Tensor): Maps of view 2, (B, C, S, S).
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        Tensor: Flow, (B, S * S, S * S).

    Raises:
        ValueError: If the maps are not square and of one size.
    """
    if map1.shape != map2.shape or map1.shape[2] != map1.shape[3]:
        raise ValueError(
            'the maps of the two views must be square and of one size, but '
            f'are {tuple(map1.shape)} and {tuple(map2.shape)}'
        )
    nodes1, nodes2 = map1.flatten(2).mT, map2.flatten(2).mT
    return _uniform_flow(cosine_cost(nodes1, nodes2), gamma)


def oracle_flow(
    partners: Sequence[np.ndarray], gamma: float = 0.05
) -> np.ndarray:
    """Flow of a network that knows which nodes correspond.

    Moving to a corresponding node costs nothing, to any other as much as a
    cosine can.

    Args:
        partners (Sequence[np.ndarray]): For each pair of views which nodes
            correspond, boolean, (N, M).
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        np.ndarray: Flow, (B, N, M).
    """
    cost = torch.from_numpy(np.where(np.stack(partners), 0.0, 2.0))
    # Its nodes compete for few places, which takes long to settle, and the
    # largest entries are known long before.
    return _uniform_flow(cost, gamma, warn=False).numpy()


def score_maps(
    map1: Tensor,
    map2: Tensor,
    views: Sequence[Sequence[dict]],
    gamma: float = 0.05,
) -> list[MatchingResult]:
    """Matching of the maps of the two views of each image of a batch.

    The other image of an image is the next one of the batch, that of the
    last the first. In a batch of one image there is no other.

    Args:
        map1 (Tensor): Maps of view 1, (B, C, S, S).
        map2 (Tensor): Maps of view 2, (B, C, S, S).
        views (Sequence[Sequence[dict]]): For each image the geometry of its
            two views, as ``CutViews`` gives it.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        list[MatchingResult]: One an image.
    """
    flows = match_views(map1, map2, gamma).cpu().numpy()
    others = match_others(map1, map2, gamma)
    partners = true_partners(flows.shape[-1], views)
    oracle = oracle_flow(partners, gamma)
    return score_matching(flows, partners, oracle, others)


def match_batch(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batch: dict,
    gamma: float = 0.05,
    others: Sequence[int] | None = None,
) -> BatchFlows:
    """Flows between the backbone's last maps of the first two views.

    Norms use the statistics of the batch, as in training, so that an
    untrained network can be measured in the same way.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batch (dict): Collated ``inputs`` and ``data_samples`` with the
            metainfo ``views``, as the training pipeline gives them.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        others (Sequence[int], optional): For each image which one is the
            other. Defaults to None: see :func:`score_maps`.

    Returns:
        BatchFlows: The flows, and the views that they are between.
    """
    *maps, views = _map_batch(backbone, data_preprocessor, batch)
    return BatchFlows(
        match_views(*maps, gamma).cpu().numpy(),
        match_others(*maps, gamma, others),
        views,
    )


def measure_matching(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batches: Iterable[dict],
    gamma: float = 0.05,
) -> list[MatchingResult]:
    """Matching accuracy of a backbone on many images.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batches (Iterable[dict]): Batches, see :func:`match_batch`.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        list[MatchingResult]: One an image, in the order of the batches. What
        they are together tells :func:`pool_results`, and with standard
        errors ``bootstrap(matching_sums(results), matching_figures)``.
    """
    results = []
    for batch in batches:
        maps = _map_batch(backbone, data_preprocessor, batch)
        results += score_maps(*maps, gamma)
    return results


def true_partners(
    num_nodes: int, views: Sequence[Sequence[dict]]
) -> list[np.ndarray]:
    """Which nodes of the two views of each image correspond.

    Args:
        num_nodes (int): Nodes of a view's map, a square number.
        views (Sequence[Sequence[dict]]): For each image the geometry of its
            two views, as ``CutViews`` gives it.

    Returns:
        list[np.ndarray]: For each image boolean (N, N).
    """
    num_cells = round(num_nodes**0.5)
    return [correspondences(*pair, num_cells) for pair in views]


def match_others(
    map1: Tensor,
    map2: Tensor,
    gamma: float = 0.05,
    others: Sequence[int] | None = None,
) -> np.ndarray | None:
    """Flows from view 1 of each image to view 2 of another one.

    Args:
        map1 (Tensor): Maps of view 1, (B, C, S, S).
        map2 (Tensor): Maps of view 2, (B, C, S, S).
        gamma (float): Strength of the entropy. Defaults to 0.05.
        others (Sequence[int], optional): For each image which one is the
            other. Defaults to None: the next one, and of the last the first.

    Returns:
        np.ndarray | None: Flows, (B, S * S, S * S); None for one image.
    """
    if len(map1) < 2:
        return None
    map2 = map2.roll(-1, 0) if others is None else map2[list(others)]
    return match_views(map1, map2, gamma).cpu().numpy()


def _map_batch(
    backbone: nn.Module, data_preprocessor: nn.Module, batch: dict
) -> tuple[Tensor, Tensor, list[list[dict]]]:
    data = data_preprocessor(batch, training=False)
    with batch_statistics(backbone):
        map1, map2 = (backbone(view)[-1] for view in data['inputs'][:2])
    return map1, map2, [sample.views[:2] for sample in data['data_samples']]


def _uniform_flow(cost: Tensor, gamma: float, warn: bool = True) -> Tensor:
    weights = (cost.new_ones(cost.shape[:2]), cost.new_ones(cost.shape[::2]))
    return sinkhorn(cost, *weights, gamma, warn=warn).flow
