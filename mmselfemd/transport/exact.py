"""Exact optimal transport, Eq. 3: for analysis and tests, not for training."""

from typing import NamedTuple

import torch
from torch import Tensor

from .marginals import normalise_marginals
from .precision import full_precision
from .problem import check_problem, refuse_non_finite

# Pivots of the network simplex; 83 x 83 nodes take some thousands.
_MAX_PIVOTS = 1_000_000


class ExactPlan(NamedTuple):
    """The exact solution of B transport problems.

    Attributes:
        flow (Tensor): An optimal flow, (B, N, M).
        cost (Tensor): What it costs, (B,): the Earth Mover's Distance.
    """

    flow: Tensor
    cost: Tensor


@torch.no_grad()
@full_precision
def exact_transport(cost: Tensor, source: Tensor, target: Tensor) -> ExactPlan:
    r"""Solve the transport problem without entropy, Eq. 3.

    .. math::
        \min_{\pi \geq 0} \sum_{ij} c_{ij} \pi_{ij} \quad \text{s.t.} \quad
        \sum_j \pi_{ij} = s_i, \; \sum_i \pi_{ij} = d_j

    The problems go one by one through the network simplex of POT
    (``ot.emd``), in float64 on the CPU. Nothing carries a gradient.

    Args:
        cost (Tensor): Costs c, (B, N, M).
        source (Tensor): Weights s >= 0 of the nodes of X, (B, N). They are
            normalised to sum to one; all zero counts as all equal.
        target (Tensor): Weights d >= 0 of the nodes of Y, (B, M), likewise.

    Returns:
        ExactPlan: Flow and cost, of the dtype and device of the costs.

    Raises:
        ImportError: If POT is not installed.
        ValueError: If a shape does not fit or is empty, the costs are no
            floats, a weight is negative, the weights of an image overflow
            their dtype when summed, or an entry is not finite.
        RuntimeError: If POT does not find the optimum.
    """
    try:
        import ot
    except ImportError as error:
        raise ImportError(
            'exact_transport needs POT, which is not installed: '
            "pip install 'mmselfemd[analysis]'"
        ) from error
    check_problem(cost, source, target)
    refuse_non_finite(cost=cost, source=source, target=target)
    problems = (
        cost.double(),
        normalise_marginals(source.double()),
        normalise_marginals(target.double()),
    )
    flows = []
    for c, s, d in zip(*(p.cpu().numpy() for p in problems), strict=True):
        flow, log = ot.emd(s, d, c, numItermax=_MAX_PIVOTS, log=True)
        if log['warning'] is not None:
            raise RuntimeError(
                f'POT did not solve problem {len(flows)} of {len(cost)}: '
                f'{log["warning"]}'
            )
        flows.append(torch.from_numpy(flow))
    flow = torch.stack(flows).to(cost)
    return ExactPlan(flow, (flow * cost).sum((1, 2)))
