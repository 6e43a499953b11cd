"""Entropic optimal transport by Sinkhorn-Knopp iterations, Eq. 4-10."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .marginals import normalise_marginals
from .precision import full_precision

# exp(-cost / gamma) and the two scalings stay well inside a type's range, and
# so does the product of all three, while (max - min of cost) / gamma is below.
_LINEAR_RANGE = {torch.float32: 44.0, torch.float64: 300.0}

# How many iterations pass between two looks at the residual when `tol` is
# given; each look costs the host a wait for the device.
_CHECK_INTERVAL = 10


class TransportPlan(NamedTuple):
    """The solution of B transport problems.

    Attributes:
        flow (Tensor): Units moved from node i to node j, (B, N, M). Its rows
            sum to the source marginal exactly, its columns to the target
            marginal up to ``residual``.
        iterations (Tensor): Iterations used, (B,), integer.
        residual (Tensor): L1 error of the target marginal, (B,).
        converged (Tensor): Whether ``residual`` is small enough, (B,), bool.
    """

    flow: Tensor
    iterations: Tensor
    residual: Tensor
    converged: Tensor


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
) -> TransportPlan:
    r"""Solve the entropic transport problem of Eq. 4.

    .. math::
        \min_\pi \sum_{ij} c_{ij} \pi_{ij}
            + \gamma \pi_{ij} (\log \pi_{ij} - 1)
        \quad \text{s.t.} \quad
        \sum_j \pi_{ij} = s_i, \; \sum_i \pi_{ij} = d_j

    Args:
        cost (Tensor): Costs c, (B, N, M).
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
            ``auto`` takes ``linear`` where float range allows. Defaults to
            'auto'.
        check_finite (bool): Whether a NaN or an infinity is an error;
            otherwise it stays in its own problem. Defaults to False.

    Returns:
        TransportPlan: Flow, iterations, residual and whether it converged
        (``residual <= tol``, or ``<= 1e-3`` without ``tol``).

    Raises:
        ValueError: If a shape does not fit, a weight is negative, or
            ``gamma``, ``max_iters`` or ``domain`` is out of its range.
    """
    if domain not in ('auto', 'linear', 'log'):
        raise ValueError(
            f"domain must be 'auto', 'linear' or 'log', but got {domain!r}"
        )
    spread = _check(cost, source, target, gamma, max_iters)
    if check_finite:
        _check_finite(cost=cost, source=source, target=target)
    source, target = normalise_marginals(source), normalise_marginals(target)
    if domain == 'auto':
        is_safe = spread / gamma <= _LINEAR_RANGE[cost.dtype]
        domain = 'linear' if is_safe else 'log'
    in_domain = _linear_domain if domain == 'linear' else _log_domain
    step, state, plan = in_domain(cost, source, target, gamma)
    if tol is None:
        for _ in range(max_iters):
            state = step(*state)
        iterations = torch.full(cost.shape[:1], max_iters, device=cost.device)
    else:
        state, iterations = _until_converged(
            step, state, plan, target, max_iters, tol
        )
    flow = plan(*state)
    residual = _residual(flow, target)
    return TransportPlan(
        flow, iterations, residual, residual <= (1e-3 if tol is None else tol)
    )


_State = tuple[Tensor, Tensor]
_Domain = tuple[Callable[..., _State], _State, Callable[..., Tensor]]


def _until_converged(
    step: Callable[..., _State],
    state: _State,
    plan: Callable[..., Tensor],
    target: Tensor,
    max_iters: int,
    tol: float,
) -> tuple[_State, Tensor]:
    """Iterate each problem until its residual is at most ``tol``.

    One that has converged stays where it is, so that it comes out the same
    alone and in a batch.
    """
    active = torch.ones_like(target[:, 0], dtype=torch.bool)
    iterations = torch.zeros_like(active, dtype=torch.long)
    for iteration in range(1, max_iters + 1):
        state = tuple(
            torch.where(active[:, None], new, old)
            for new, old in zip(step(*state), state, strict=True)
        )
        iterations += active
        if iteration % _CHECK_INTERVAL == 0:
            active = active & (_residual(plan(*state), target) > tol)
            if not active.any():
                break
    return state, iterations


def _linear_domain(
    cost: Tensor, source: Tensor, target: Tensor, gamma: float
) -> _Domain:
    """Eq. 9 and 10 as printed, the cost shifted to start at zero."""
    floor = cost.detach().amin((1, 2), keepdim=True)
    kernel = torch.exp((floor - cost) / gamma)

    # (K * v).sum is faster on a CPU than bmm at this size, and faster still
    # into one buffer; with a gradient each product has to be kept.
    product = None if kernel.requires_grad else torch.empty_like(kernel)

    def step(u: Tensor, v: Tensor) -> _State:
        u = target / torch.mul(kernel, v[:, :, None], out=product).sum(1)
        v = source / torch.mul(kernel, u[:, None, :], out=product).sum(2)
        return u, v

    def plan(u: Tensor, v: Tensor) -> Tensor:
        return v[:, :, None] * kernel * u[:, None, :]

    return step, (torch.ones_like(target), torch.ones_like(source)), plan


def _log_domain(
    cost: Tensor, source: Tensor, target: Tensor, gamma: float
) -> _Domain:
    """The same on log u and log v, for any gamma."""
    log_kernel = -cost / gamma
    # A floor instead of log 0 = -inf keeps gradients finite; the mask makes
    # the flow of such nodes exactly zero all the same.
    tiny = torch.finfo(cost.dtype).tiny
    log_source, log_target = (
        w.clamp_min(tiny).log() for w in (source, target)
    )
    mask = (source > 0)[:, :, None] & (target > 0)[:, None, :]

    def step(log_u: Tensor, log_v: Tensor) -> _State:
        log_u = log_target - torch.logsumexp(log_kernel + log_v[:, :, None], 1)
        log_v = log_source - torch.logsumexp(log_kernel + log_u[:, None, :], 2)
        return log_u, log_v

    def plan(log_u: Tensor, log_v: Tensor) -> Tensor:
        log_flow = log_v[:, :, None] + log_kernel + log_u[:, None, :]
        return log_flow.exp().where(mask, 0)

    return step, (torch.zeros_like(target), torch.zeros_like(source)), plan


def _residual(flow: Tensor, target: Tensor) -> Tensor:
    """L1 error of the marginal that the last half step did not set."""
    return (flow.sum(1) - target).abs().sum(-1).detach()


def _check_finite(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        num_bad = int((~tensor.isfinite()).sum())
        if num_bad:
            raise ValueError(
                f'{name} must be finite, but {num_bad} of its '
                f'{tensor.numel()} entries are not'
            )


def _check(
    cost: Tensor, source: Tensor, target: Tensor, gamma: float, max_iters: int
) -> float:
    """Refuse what is not a transport problem; return the spread of costs.

    Everything that has to be read from the device is read at once.
    """
    if cost.dim() != 3:
        raise ValueError(
            f'cost must be of shape (B, N, M), but got {tuple(cost.shape)}'
        )
    for name, weights, shape in (
        ('source', source, cost.shape[:2]),
        ('target', target, cost.shape[::2]),
    ):
        if weights.shape != shape:
            raise ValueError(
                f'{name} must be of shape {tuple(shape)} to fit '
                f'cost, but got {tuple(weights.shape)}'
            )
    if not gamma > 0:
        raise ValueError(f'gamma must be > 0, but got {gamma}')
    if max_iters < 1:
        raise ValueError(f'max_iters must be >= 1, but got {max_iters}')
    spread = cost.detach().amax((1, 2)) - cost.detach().amin((1, 2))
    # One bad problem must not choose the domain of the others.
    spread = spread.nan_to_num(0, posinf=0).amax()
    lowest = [
        weights.detach().nan_to_num(0).amin() for weights in (source, target)
    ]
    spread, *lowest = torch.stack((spread, *lowest)).tolist()
    for name, value in zip(('source', 'target'), lowest, strict=True):
        if value < 0:
            raise ValueError(
                f'{name} weights must be >= 0, but the lowest is {value}'
            )
    return spread
