"""The similarity of two sets of nodes, Eq. 12, and its gradients."""

import torch
from torch import Tensor

from .cost import cosine_cost
from .precision import full_precision
from .sinkhorn import TransportPlan, sinkhorn

GRADIENTS = ('envelope', 'implicit', 'unroll')


def emd_similarity(
    x: Tensor,
    y: Tensor,
    source: Tensor,
    target: Tensor,
    gamma: float = 0.05,
    max_iters: int = 100,
    gradient: str = 'envelope',
) -> Tensor:
    r"""Similarity of two sets of nodes under the optimal flow, Eq. 12.

    .. math::
        s(X, Y) = \sum_{ij} (1 - c_{ij}) \pi^*_{ij}

    Args:
        x (Tensor): Nodes of X, (B, N, C).
        y (Tensor): Nodes of Y, (B, M, C).
        source (Tensor): Weights of the nodes of X, (B, N), >= 0. They carry
            no gradient.
        target (Tensor): Weights of the nodes of Y, (B, M), likewise.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        max_iters (int): Number of Sinkhorn iterations. Defaults to 100.
        gradient (str): What is differentiated with respect to the cost:
            ``envelope`` holds the flow fixed, which is the exact gradient of
            the *regularised* optimum (Eq. 4) by the envelope theorem;
            ``implicit`` is the gradient of :math:`\langle c, \pi^*(c)
            \rangle` itself at a converged flow; ``unroll`` differentiates
            the iterations. Defaults to 'envelope'.

    Returns:
        Tensor: Similarities, (B,), in [-1, 1].

    Raises:
        ValueError: If ``gradient`` is unknown, or see :func:`sinkhorn`.
    """
    return flow_similarity(
        cosine_cost(x, y), source, target, gamma, max_iters, gradient
    )[0]


@full_precision
def flow_similarity(
    cost: Tensor,
    source: Tensor,
    target: Tensor,
    gamma: float = 0.05,
    max_iters: int = 100,
    gradient: str = 'envelope',
) -> tuple[Tensor, TransportPlan]:
    """As :func:`emd_similarity`, from costs, with the plan beside it.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Weights of the nodes of X, (B, N), >= 0.
        target (Tensor): Weights of the nodes of Y, (B, M), >= 0.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        max_iters (int): Number of Sinkhorn iterations. Defaults to 100.
        gradient (str): See :func:`emd_similarity`. Defaults to 'envelope'.

    Returns:
        tuple[Tensor, TransportPlan]: Similarities (B,), and the plan.

    Raises:
        ValueError: See :func:`emd_similarity`.
    """
    if gradient not in GRADIENTS:
        raise ValueError(
            f'gradient must be one of {GRADIENTS}, but got {gradient!r}'
        )
    source, target = source.detach(), target.detach()
    if gradient == 'unroll':
        plan = sinkhorn(cost, source, target, gamma, max_iters)
        return ((1 - cost) * plan.flow).sum((1, 2)), plan

    with torch.no_grad():
        plan = sinkhorn(cost, source, target, gamma, max_iters)
        score = ((1 - cost) * plan.flow).sum((1, 2))
    if not cost.requires_grad:
        return score, plan
    slope = -plan.flow
    if gradient == 'implicit':
        slope = slope + _flow_response(plan.flow, 1 - cost.detach(), gamma)
    # Adds zero, and makes d score / d cost = slope.
    return score + ((cost - cost.detach()) * slope).sum((1, 2)), plan


def _flow_response(flow: Tensor, weight: Tensor, gamma: float) -> Tensor:
    r"""Gradient of :math:`\sum_{ij} w_{ij} \pi^*_{ij}(c)` by the cost c.

    With :math:`\pi_{ij} = \exp((f_i + g_j - c_{ij}) / \gamma)` and the
    marginals held, the implicit function theorem gives

    .. math::
        -\pi_{ij} (w_{ij} - \lambda_i - \mu_j) / \gamma

    where :math:`\lambda` and :math:`\mu` make every row and column of it sum
    to zero.
    """
    row, column = flow.sum(2), flow.sum(1)
    safe_row = row.where(row > 0, 1)
    weighted = flow * weight
    share = flow / safe_row[:, :, None]
    # Eliminate lambda; a node of weight zero gets mu = 0.
    system = torch.diag_embed(column.where(column > 0, 1)) - flow.mT @ share
    # (lambda + t, mu - t) is the same solution: fix t by <column, mu> = 0.
    system = system + column[:, :, None] * column[:, None, :]
    row_sums = weighted.sum(2, keepdim=True)
    mu = torch.linalg.solve(
        system, weighted.sum(1) - (share.mT @ row_sums)[..., 0]
    )
    lambda_ = (row_sums - flow @ mu[..., None]) / safe_row[:, :, None]
    return -flow * (weight - lambda_ - mu[:, None, :]) / gamma
