"""The similarity of two sets of nodes, Eq. 12, and its gradients."""

import torch
from torch import Tensor

from .cost import cosine_cost
from .gradients import envelope_slopes, implicit_slopes
from .marginals import normalise_marginals
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
    marginal_gradient: bool = False,
) -> Tensor:
    r"""Similarity of two sets of nodes under the optimal flow, Eq. 12.

    .. math::
        s(X, Y) = \sum_{ij} (1 - c_{ij}) \pi^*_{ij}

    Args:
        x (Tensor): Nodes of X, (B, N, C).
        y (Tensor): Nodes of Y, (B, M, C).
        source (Tensor): Weights of the nodes of X, (B, N), >= 0; normalised
            here.
        target (Tensor): Weights of the nodes of Y, (B, M), likewise.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        max_iters (int): Number of Sinkhorn iterations. Defaults to 100.
        gradient (str): What is differentiated:
            ``envelope`` holds the flow fixed, which is the exact gradient of
            the *regularised* optimum (Eq. 4, with the sign turned) by the
            envelope theorem; ``implicit`` is the gradient of the similarity
            itself at a converged flow; ``unroll`` differentiates the
            iterations. Defaults to 'envelope'.
        marginal_gradient (bool): Whether the same is differentiated by the
            weights too. A weight of zero gets no gradient, as behind a relu.
            Defaults to False: by the cost alone.

    Returns:
        Tensor: Similarities, (B,), in [-1, 1].

    Raises:
        ValueError: If ``gradient`` is unknown, or see :func:`sinkhorn`.
    """
    return flow_similarity(
        cosine_cost(x, y),
        source,
        target,
        gamma,
        max_iters,
        gradient,
        marginal_gradient,
    )[0]


@full_precision
def flow_similarity(
    cost: Tensor,
    source: Tensor,
    target: Tensor,
    gamma: float = 0.05,
    max_iters: int = 100,
    gradient: str = 'envelope',
    marginal_gradient: bool = False,
) -> tuple[Tensor, TransportPlan]:
    """As :func:`emd_similarity`, from costs, with the plan beside it.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Weights of the nodes of X, (B, N), >= 0.
        target (Tensor): Weights of the nodes of Y, (B, M), >= 0.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        max_iters (int): Number of Sinkhorn iterations. Defaults to 100.
        gradient (str): See :func:`emd_similarity`. Defaults to 'envelope'.
        marginal_gradient (bool): See :func:`emd_similarity`.
            Defaults to False.

    Returns:
        tuple[Tensor, TransportPlan]: Similarities (B,), and the plan.

    Raises:
        ValueError: See :func:`emd_similarity`.
    """
    if gradient not in GRADIENTS:
        raise ValueError(
            f'gradient must be one of {GRADIENTS}, but got {gradient!r}'
        )
    source, target = (
        _without_gradient_at_zero(weights)
        if marginal_gradient
        else weights.detach()
        for weights in (source, target)
    )
    if gradient == 'unroll':
        plan = sinkhorn(cost, source, target, gamma, max_iters)
        return ((1 - cost) * plan.flow).sum((1, 2)), plan

    with torch.no_grad():
        plan = sinkhorn(cost, source, target, gamma, max_iters)
        score = ((1 - cost) * plan.flow).sum((1, 2))
    inputs = cost, normalise_marginals(source), normalise_marginals(target)
    if any(tensor.requires_grad for tensor in inputs):
        with torch.no_grad():
            slopes = (
                envelope_slopes(plan)
                if gradient == 'envelope'
                else implicit_slopes(cost, plan, gamma)
            )
        for tensor, slope in zip(inputs, slopes, strict=True):
            if tensor.requires_grad:
                # Adds zero, and makes d score / d tensor = slope.
                change = (tensor - tensor.detach()) * slope
                score = score + change.flatten(1).sum(1)
    return score, plan


def _without_gradient_at_zero(weights: Tensor) -> Tensor:
    # There the slope of the regularised optimum is infinite.
    return weights.where(weights != 0, 0)
