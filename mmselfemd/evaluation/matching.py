"""Matching accuracy: does the flow go where the same thing is?"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mmselfemd.transport import cosine_cost, sinkhorn, uniform_marginals

from .geometry import correspondences


class MatchingResult(NamedTuple):
    """How well the nodes of one view find those of another.

    Attributes:
        accuracy (float): Of the nodes of view 1 that have a corresponding
            node in view 2, the share whose largest flow goes to one.
        chance (float): What a random node of view 2 would reach: the mean
            share of corresponding nodes.
        num_nodes (int): How many nodes of view 1 have one.
    """

    accuracy: float
    chance: float
    num_nodes: int


@torch.no_grad()
def match_views(map1: Tensor, map2: Tensor, gamma: float = 0.05) -> Tensor:
    """Flow between the maps of two views, with uniform marginals.

    No head and no pyramid: what the backbone's own features know.

    Args:
        map1 (Tensor): Maps of view 1, (B, C, H, W).
        map2 (Tensor): Maps of view 2, (B, C, H, W).
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        Tensor: Flow, (B, H * W, H * W).
    """
    nodes1, nodes2 = map1.flatten(2).mT, map2.flatten(2).mT
    return sinkhorn(
        cosine_cost(nodes1, nodes2),
        uniform_marginals(nodes1),
        uniform_marginals(nodes2),
        gamma,
    ).flow


def score_matching(
    flows: np.ndarray, partners: Sequence[np.ndarray]
) -> MatchingResult:
    """Hold flows against the true correspondences.

    Args:
        flows (np.ndarray): Flow of each pair of views, (B, N, M).
        partners (Sequence[np.ndarray]): For each pair which nodes
            correspond, boolean, (N, M).

    Returns:
        MatchingResult: Over all nodes of all pairs that have a partner.

    Raises:
        ValueError: If no node has one: the views do not overlap.
    """
    partners = np.stack(partners)
    has_partner = partners.any(-1)
    if not has_partner.any():
        raise ValueError(
            'no node of view 1 has a corresponding node in view '
            '2: the views of no image overlap'
        )
    best = np.asarray(flows).argmax(-1)[..., None]
    hits = np.take_along_axis(partners, best, -1)[..., 0][has_partner]
    return MatchingResult(
        float(hits.mean()),
        float(partners.mean(-1)[has_partner].mean()),
        int(has_partner.sum()),
    )


@torch.no_grad()
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
        backbone (nn.Module): The backbone; a copy of it is run.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batch (dict): Collated ``inputs`` and ``data_samples`` with the
            metainfo ``views``, as the training pipeline gives them.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        tuple[np.ndarray, list[list[dict]]]: Flows (B, N, N), and for each
        image the geometry of the two views.
    """
    network = deepcopy(backbone)
    network.train()
    data = data_preprocessor(batch, training=False)
    maps = [network(view)[-1] for view in data['inputs'][:2]]
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
        backbone (nn.Module): The backbone; a copy of it is run.
        data_preprocessor (nn.Module): The model's data preprocessor.
        batches (Iterable[dict]): Batches, see :func:`match_batch`.
        gamma (float): Strength of the entropy. Defaults to 0.05.

    Returns:
        MatchingResult: Accuracy, chance level and number of nodes.
    """
    flows, partners = [], []
    for batch in batches:
        flow, views = match_batch(backbone, data_preprocessor, batch, gamma)
        num_cells = round(flow.shape[-1] ** 0.5)
        flows.append(flow)
        partners += [correspondences(*pair, num_cells) for pair in views]
    return score_matching(np.concatenate(flows), partners)
