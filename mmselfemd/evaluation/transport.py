"""What the transport of a training step looks like."""

from collections.abc import Mapping, Sequence
from math import log

import numpy as np
import torch
from torch import Tensor

from mmselfemd.models import SPCNeck
from mmselfemd.models.node_geometry import pyramid_places, within_a_cell
from mmselfemd.transport import TransportPlan, normalise_marginals

from .matching import pool_results, score_matching


@torch.no_grad()
def describe_transport(
    cost: Tensor, source: Tensor, target: Tensor, plan: TransportPlan
) -> dict[str, float]:
    """Figures that tell how a batch of transport problems was solved.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Weights of the nodes of X, (B, N).
        target (Tensor): Weights of the nodes of Y, (B, M).
        plan (TransportPlan): Their solution.

    Returns:
        dict[str, float]: Means over the problems of

        - ``residual``: L1 error of the target marginal;
        - ``matches_per_node``: to how many nodes a node of X sends its flow,
          the exponential of the entropy of its row, by its weight;
        - ``marginal_entropy``: of both marginals, 1 where all weights are
          equal and 0 where one node has it all;
        - ``cost``: what the flow costs, c_ij pi_ij summed.
    """
    flow = plan.flow
    rows = flow.sum(2)
    share = flow / rows.where(rows > 0, 1)[..., None]
    matches = torch.special.entr(share).sum(2).exp()
    entropies = [
        torch.special.entr(normalise_marginals(weights)).sum(1)
        / max(log(weights.shape[1]), 1e-12)
        for weights in (source, target)
    ]
    return dict(
        residual=float(plan.residual.mean()),
        matches_per_node=float((rows * matches).sum(1).mean()),
        marginal_entropy=float(torch.stack(entropies).mean()),
        cost=float((cost * flow).sum((1, 2)).mean()),
    )


def pyramid_partners(
    views: Sequence[Sequence[Mapping]],
    num_queries: int,
    num_keys: int,
    pyramid: SPCNeck,
) -> list[np.ndarray]:
    """Which nodes of the pyramids of two views lie at the same place.

    Nodes within a cell of the map of view 2 do.

    Args:
        views (Sequence[Sequence[Mapping]]): Geometry of the two views of
            each image.
        num_queries (int): Number N of nodes of the first.
        num_keys (int): Number M of nodes of the second.
        pyramid (SPCNeck): The pyramid that made the nodes.

    Returns:
        list[np.ndarray]: Boolean, (N, M), one an image.
    """
    partners = []
    for view1, view2 in views:
        places1, _ = pyramid_places(view1, num_queries, pyramid)
        places2, side = pyramid_places(view2, num_keys, pyramid)
        cell = np.array(view2['box'][2:]) / side
        partners.append(within_a_cell(places1, places2, cell))
    return partners


def score_own_flow(
    flows: Tensor,
    views: Sequence[Sequence[Mapping]],
    pyramid: SPCNeck,
    others: Tensor | None = None,
) -> dict[str, float]:
    """Matching accuracy of the loss's own flow, over all of its nodes.

    Args:
        flows (Tensor): Flow of each image between the nodes of its first
            view, as a query, and of its second, as a key, (B, N, M).
        views (Sequence[Sequence[Mapping]]): Geometry of the two.
        pyramid (SPCNeck): The pyramid that made the nodes.
        others (Tensor, optional): Flow of each image from the same nodes to
            the second view of another image, (B, N, M). Defaults to None.

    Returns:
        dict[str, float]: Shares of the nodes with a corresponding one; empty
        if no two views overlap:

        - ``own_flow``: whose largest flow goes to one;
        - ``own_flow_chance``: the same of a random flow;
        - ``own_flow_same_position``: of a flow from node i to node i, if
          both views have as many: what position alone gives;
        - ``own_flow_other_image``: of ``others``, held against the truth of
          the own image: what remains without the content.
    """
    partners = pyramid_partners(views, *flows.shape[1:], pyramid)
    if not np.any(partners):
        return {}
    candidates = dict(own_flow=flows)
    if flows.shape[1] == flows.shape[2]:
        identity = torch.eye(flows.shape[1]).expand_as(flows)
        candidates['own_flow_same_position'] = identity
    if others is not None:
        candidates['own_flow_other_image'] = others
    pooled = {
        name: pool_results(score_matching(flow.cpu().numpy(), partners))
        for name, flow in candidates.items()
    }
    figures = {name: result.accuracy for name, result in pooled.items()}
    return figures | dict(own_flow_chance=pooled['own_flow'].chance)
