r"""Slopes of the similarity, Eq. 12, without a way back through iterations.

The flow is :math:`\pi_{ij} = \exp((f_i + g_j - c_{ij}) / \gamma)` throughout,
the optimum of Eq. 4 with marginals s and d.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .sinkhorn import TransportPlan


class Slopes(NamedTuple):
    """Derivatives of the similarities of B transport problems.

    Attributes:
        cost (Tensor): By the costs c, (B, N, M).
        source (Tensor): By the marginal s, (B, N), up to a constant for each
            problem, since s sums to one.
        target (Tensor): By the marginal d, (B, M), likewise.
    """

    cost: Tensor
    source: Tensor
    target: Tensor


def envelope_slopes(plan: TransportPlan) -> Slopes:
    """Slopes of minus the optimum of Eq. 4, by the envelope theorem.

    They are minus the flow and minus the dual potentials. By the weight of a
    node that has none the slope is infinite, that of the entropy; zero stands
    in its place.

    Args:
        plan (TransportPlan): The solution.

    Returns:
        Slopes: Exact where the plan has converged.
    """
    source, target = (
        potential.where(potential != -torch.inf, 0)
        for potential in (plan.source_potential, plan.target_potential)
    )
    return Slopes(-plan.flow, -source, -target)


def implicit_slopes(cost: Tensor, plan: TransportPlan, gamma: float) -> Slopes:
    r"""Slopes of :math:`\sum_{ij} w_{ij} \pi_{ij}`, w = 1 - c, itself.

    By the implicit function theorem a change of the problem changes the flow
    by :math:`\pi_{ij} (df_i + dg_j - dc_{ij}) / \gamma`, where df and dg give
    its rows and columns the sums ds and dd. With the multipliers
    :math:`\lambda` and :math:`\mu` of :func:`_multipliers` the slopes by s
    and d are :math:`\lambda` and :math:`\mu`, and that by c, through the
    flow alone, is

    .. math::
        -\pi_{ij} (w_{ij} - \lambda_i - \mu_j) / \gamma

    All of it in float64: the smaller gamma and the weights are, the more
    nearly does the flow fall apart, and the system with it.

    Args:
        cost (Tensor): Costs, (B, N, M).
        plan (TransportPlan): The solution.
        gamma (float): Strength of the entropy.

    Returns:
        Slopes: Exact where the plan has converged; of the costs' dtype.
    """
    flow, weight = plan.flow.double(), 1 - cost.double()
    source, target = _multipliers(flow, weight)
    excess = weight - source[:, :, None] - target[:, None, :]
    slopes = -flow - flow * excess / gamma, source, target
    return Slopes(*(slope.to(cost) for slope in slopes))


def _multipliers(flow: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\lambda` and :math:`\mu` of a linear functional of the flow.

    They make every row and column of :math:`\pi_{ij} (w_{ij} - \lambda_i -
    \mu_j)` sum to zero. Those of nodes without flow are zero.
    """
    row, column = flow.sum(2), flow.sum(1)
    safe_row, safe_column = (w.where(w != 0, 1) for w in (row, column))
    weighted = flow * weight
    share = flow / safe_row[:, :, None]
    # Eliminate lambda.
    system = torch.diag_embed(safe_column) - flow.mT @ share
    # (lambda + t, mu - t) is the same solution: fix t by <column, mu> = 0.
    system = system + column[:, :, None] * column[:, None, :]
    # Likewise between parts of a flow that falls apart, as one-to-one flows
    # do: there a trace of the diagonal decides.
    trace = 10 * torch.finfo(flow.dtype).eps
    system = system + torch.diag_embed(trace * safe_column)
    row_sums = weighted.sum(2, keepdim=True)
    right_side = weighted.sum(1) - (share.mT @ row_sums)[..., 0]
    # Unlike `solve`, this neither waits for the device nor lets one bad
    # problem raise for all.
    mu = torch.linalg.solve_ex(system, right_side).result
    lambda_ = (row_sums - flow @ mu[..., None])[..., 0] / safe_row
    return lambda_, mu
