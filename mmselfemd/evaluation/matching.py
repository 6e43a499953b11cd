"""Matching accuracy: does the flow go where the same thing is?"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.transport import cosine_cost, sinkhorn

from .geometry import correspondences


class MatchingResult(NamedTuple):
    """How well the nodes of one view find those of another.

    Attributes:
        accuracy (float): Of the nodes of view 1 that have a corresponding
            node in view 2, the share whose largest flow goes to one.
        chance (float): What a random node of view 2 would reach: the mean
            share of corresponding nodes.
        best (float): What a network reaches that knows which nodes
            correspond: a flow has to respect the marginals, so that it may
            be less than one.
        num_nodes (int): How many nodes of view 1 have one.
    """

    accuracy: float
    chance: float
    best: float
    num_nodes: int


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


def score_matching(
    flows: np.ndarray,
    partners: Sequence[np.ndarray],
    oracle: np.ndarray | None = None,
) -> list[MatchingResult]:
    """Hold flows against the true correspondences.

    Args:
        flows (np.ndarray): Flow of each pair of views, (B, N, M).
        partners (Sequence[np.ndarray]): For each pair which nodes
            correspond, boolean, (N, M).
        oracle (np.ndarray, optional): Flows of a network that knows, from
            :func:`oracle_flow`. Defaults to None: the best possible accuracy
            stays unknown, NaN.

    Returns:
        list[MatchingResult]: One a pair, for :func:`pool_results`; NaN where
        the views do not overlap.
    """
    results = []
    for index, (truth, flow) in enumerate(zip(partners, flows, strict=True)):
        has_partner = truth.any(-1)
        shown = truth[has_partner]
        if not len(shown):
            results.append(MatchingResult(*[float('nan')] * 3, 0))
            continue
        accuracy = _share_of_hits(flow[has_partner], shown)
        chance = float(shown.mean())
        best = float('nan')
        if oracle is not None:
            best = _share_of_hits(oracle[index][has_partner], shown)
        results.append(MatchingResult(accuracy, chance, best, len(shown)))
    return results


def _share_of_hits(flow: np.ndarray, shown: np.ndarray) -> float:
    return float(shown[np.arange(len(shown)), flow.argmax(-1)].mean())


def pool_results(results: Iterable[MatchingResult]) -> MatchingResult:
    """The results of many pairs of views as one, over all of their nodes.

    Args:
        results (Iterable[MatchingResult]): Results of single pairs.

    Returns:
        MatchingResult: Over all nodes of all pairs that have a partner.

    Raises:
        ValueError: If no node has one: the views do not overlap.
    """
    counted = [result for result in results if result.num_nodes]
    if not counted:
        raise ValueError(
            'no node of view 1 has a corresponding node in view '
            '2: the views of no image overlap'
        )
    *shares, counts = np.array(counted).T
    return MatchingResult(
        *(float(np.average(share, weights=counts)) for share in shares),
        int(counts.sum()),
    )


def match_batch(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batch: dict,
    gamma: float = 0.05,
) -> tuple[np.ndarray, list[list[dict]]]:
    """Flows between the backbone's last maps of the first two views.

    Norms use the statistics of the batch, as in training, so that an
    untrained network can be measured in the same way.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batch (dict): Collated ``inputs`` and ``data_samples`` with the
            metainfo ``views``, as the training pipeline gives them.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        tuple[np.ndarray, list[list[dict]]]: Flows (B, N, N), and for each
        image the geometry of the two views.
    """
    data = data_preprocessor(batch, training=False)
    with batch_statistics(backbone):
        maps = [backbone(view)[-1] for view in data['inputs'][:2]]
    views = [sample.views[:2] for sample in data['data_samples']]
    return match_views(*maps, gamma).cpu().numpy(), views


def measure_matching(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    batches: Iterable[dict],
    gamma: float = 0.05,
) -> MatchingResult:
    """Matching accuracy of a backbone over many images.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batches (Iterable[dict]): Batches, see :func:`match_batch`.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        MatchingResult: Accuracy, chance level, best possible accuracy and
        number of nodes.
    """
    results = []
    for batch in batches:
        flows, views = match_batch(backbone, data_preprocessor, batch, gamma)
        partners = true_partners(flows.shape[-1], views)
        oracle = oracle_flow(partners, gamma)
        results += score_matching(flows, partners, oracle)
    return pool_results(results)


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


def _uniform_flow(cost: Tensor, gamma: float, warn: bool = True) -> Tensor:
    weights = (cost.new_ones(cost.shape[:2]), cost.new_ones(cost.shape[::2]))
    return sinkhorn(cost, *weights, gamma, warn=warn).flow
