"""Entropic optimal transport by Sinkhorn-Knopp iterations, Eq. 4-10."""

from typing import NamedTuple

import torch
from torch import Tensor

from .convergence import convergence_monitor
from .domains import LinearDomain, LogDomain, State
from .marginals import normalise_marginals
from .precision import full_precision
from .problem import check_problem, check_settings, refuse_non_finite

# exp(-cost / gamma) and the two scalings stay well inside a type's range, and
# so does the product of all three, while (max - min of cost) / gamma is below.
_LINEAR_RANGE = {torch.float32: 44.0, torch.float64: 300.0}

# How many iterations pass between two looks at the residual when `tol` is
# given; each look costs the host a wait for the device.
_CHECK_INTERVAL = 10

# The residual that counts as converged where no `tol` is given.
_DEFAULT_TOL = 1e-3


class TransportPlan(NamedTuple):
    r"""The solution of B transport problems.

    Attributes:
        flow (Tensor): Units moved from node i to node j, (B, N, M). Its rows
            sum to the source marginal exactly, its columns to the target
            marginal up to ``residual``.
        iterations (Tensor): Iterations used, (B,), integer.
        residual (Tensor): L1 error of the target marginal, (B,).
        converged (Tensor): Whether ``residual`` is small enough, (B,), bool.
        source_potential (Tensor): f, (B, N), without gradient. With g it
            gives the flow, :math:`\pi_{ij} = \exp((f_i + g_j - c_{ij}) /
            \gamma)`, and at convergence the slope of the optimum of Eq. 4 by
            the marginals; -inf where the weight is zero. They are the
            multipliers of Eq. 5 with the sign turned, f = -beta, g = -alpha.
        target_potential (Tensor): g, (B, M), likewise.
    """

    flow: Tensor
    iterations: Tensor
    residual: Tensor
    converged: Tensor
    source_potential: Tensor
    target_potential: Tensor


@full_precision
def sinkhorn(
    cost: Tensor,
    source: Tensor,
    target: Tensor,
    gamma: float = 0.05,
    max_iters: int = 100,
    tol: float | None = None,
    domain: str = 'auto',
    check_finite: bool = False,
    warn: bool = True,
) -> TransportPlan:
    r"""Solve the entropic transport problem of Eq. 4.

    .. math::
        \min_\pi \sum_{ij} c_{ij} \pi_{ij}
            + \gamma \pi_{ij} (\log \pi_{ij} - 1)
        \quad \text{s.t.} \quad
        \sum_j \pi_{ij} = s_i, \; \sum_i \pi_{ij} = d_j

    Args:
        cost (Tensor): Costs c, (B, N, M); the plan is of their dtype.
        source (Tensor): Weights s >= 0 of the nodes of X, (B, N). They are
            normalised to sum to one; all zero counts as all equal.
        target (Tensor): Weights d >= 0 of the nodes of Y, (B, M), likewise.
        gamma (float): Strength of the entropy, in units of cost, > 0.
            Defaults to 0.05.
        max_iters (int): Number T of iterations. Defaults to 100.
        tol (float, optional): Stop a problem once its residual is at most
            this; looked at every 10 iterations. Defaults to None: always
            ``max_iters``.
        domain (str): ``linear`` iterates on the scalings u and v of Eq. 9,
            ``log`` on their logarithms: slower, and right for any gamma.
            ``auto`` takes ``linear`` where float range allows, on a CPU that
            of float64. Defaults to 'auto'.
        check_finite (bool): Whether a NaN or an infinity is an error;
            otherwise it stays in its own problem. Defaults to False.
        warn (bool): Whether a :class:`ConvergenceWarning` may be given.
            Defaults to True.

    Returns:
        TransportPlan: Flow, iterations, residual and whether it converged
        (``residual <= tol``, or ``<= 1e-3`` without ``tol``).

    Raises:
        ValueError: If a shape does not fit or is empty, the costs are no
            floats, a weight is negative, the weights of an image overflow
            their dtype when summed, or ``gamma``, ``max_iters`` or ``domain``
            is out of its range.
    """
    check_settings(gamma, max_iters, domain)
    spread = check_problem(cost, source, target)
    if check_finite:
        refuse_non_finite(cost=cost, source=source, target=target)
    dtype = cost.dtype
    in_domain, precision = _choose_domain(domain, cost, spread / gamma)
    cost = cost.to(precision)
    source, target = (
        normalise_marginals(
            weights.to(torch.promote_types(weights.dtype, precision))
        ).to(precision)
        for weights in (source, target)
    )
    problem = in_domain(cost, source, target, gamma)
    if tol is None:
        state = problem.start()
        for _ in range(max_iters):
            state = problem.step(*state)
        iterations = torch.full(cost.shape[:1], max_iters, device=cost.device)
    else:
        state, iterations = _until_converged(problem, target, max_iters, tol)
    flow = problem.flow(*state)
    residual = _residual(flow, target)
    tol = _DEFAULT_TOL if tol is None else tol
    if warn:
        convergence_monitor.watch(residual, tol, gamma, max_iters)
    with torch.no_grad():
        potentials = problem.potentials(*state)
    return TransportPlan(
        flow.to(dtype),
        iterations,
        residual.to(dtype),
        residual <= tol,
        *(potential.to(dtype) for potential in potentials),
    )


def _choose_domain(
    domain: str, cost: Tensor, spread: float
) -> tuple[type[LinearDomain | LogDomain], torch.dtype]:
    """How a problem is solved, by the spread of its costs over gamma."""
    if domain != 'auto':
        chosen = dict(linear=LinearDomain, log=LogDomain)[domain]
        return chosen, cost.dtype
    dtypes = [cost.dtype]
    if cost.device.type == 'cpu':  # where it takes less time than log
        dtypes.append(torch.float64)
    for dtype in dtypes:
        if spread <= _LINEAR_RANGE[dtype]:
            return LinearDomain, dtype
    return LogDomain, cost.dtype


def _until_converged(
    problem: LinearDomain | LogDomain,
    target: Tensor,
    max_iters: int,
    tol: float,
) -> tuple[State, Tensor]:
    """Iterate each problem until its residual is at most ``tol``.

    One that has converged stays where it is, so that it comes out the same
    alone and in a batch, up to rounding.
    """
    state = problem.start()
    active = torch.ones_like(target[:, 0], dtype=torch.bool)
    iterations = torch.zeros_like(active, dtype=torch.long)
    for iteration in range(1, max_iters + 1):
        state = tuple(
            torch.where(active[:, None, None], new, old)
            for new, old in zip(problem.step(*state), state, strict=True)
        )
        iterations += active
        if iteration % _CHECK_INTERVAL == 0:
            active = active & (_residual(problem.flow(*state), target) > tol)
            if not active.any():
                break
    return state, iterations


def _residual(flow: Tensor, target: Tensor) -> Tensor:
    """L1 error of the marginal that the last half step did not set."""
    return (flow.sum(1) - target).abs().sum(-1).detach()
