"""One Sinkhorn iteration, Eq. 9, on the scalings or on their logarithms."""

import torch
from torch import Tensor

State = tuple[Tensor, Tensor]


class LinearDomain:
    """Eq. 9 and 10 as printed, the cost shifted to start at zero.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Marginal s, (B, N).
        target (Tensor): Marginal d, (B, M).
        gamma (float): Strength of the entropy.
    """

    def __init__(
        self, cost: Tensor, source: Tensor, target: Tensor, gamma: float
    ) -> None:
        self.source, self.target, self.gamma = source, target, gamma
        self.floor = cost.detach().amin((1, 2), keepdim=True)
        self.kernel = torch.exp((self.floor - cost) / gamma)

    def start(self) -> State:
        """Set u and v before the first iteration."""
        return torch.ones_like(self.target), torch.ones_like(self.source)

    def step(self, u: Tensor, v: Tensor) -> State:
        """Apply Eq. 9 to u (B, M) and v (B, N)."""
        # On a CPU (K * v).sum is faster than bmm at this size.
        u = self.target / (self.kernel * v[:, :, None]).sum(1)
        v = self.source / (self.kernel * u[:, None, :]).sum(2)
        return u, v

    def flow(self, u: Tensor, v: Tensor) -> Tensor:
        """Give Eq. 10, (B, N, M)."""
        return v[:, :, None] * self.kernel * u[:, None, :]

    def potentials(self, u: Tensor, v: Tensor) -> State:
        """Give f (B, N) and g (B, M) of :class:`TransportPlan`."""
        return (
            self.gamma * v.log() + self.floor[..., 0],
            self.gamma * u.log(),
        )


class InPlaceLinearDomain(LinearDomain):
    """The same for a fixed, modest number of iterations, without gradient.

    The kernel becomes diag(v) M diag(u): each half of Eq. 9 scales its
    columns to d, or its rows to s. That touches one array instead of two,
    which makes it a third faster on a CPU.
    """

    def step(self, u: Tensor, v: Tensor) -> State:
        """Apply Eq. 9 to u (B, M), v (B, N) and the kernel."""
        # The sum is zero where a weight is: from the second time on.
        tiny = torch.finfo(self.kernel.dtype).tiny
        scale = self.target / self.kernel.sum(1).clamp_min(tiny)
        self.kernel.mul_(scale[:, None, :])
        u = u * scale
        scale = self.source / self.kernel.sum(2).clamp_min(tiny)
        self.kernel.mul_(scale[:, :, None])
        return u, v * scale

    def flow(self, u: Tensor, v: Tensor) -> Tensor:
        """Give Eq. 10, (B, N, M)."""
        return self.kernel


class LogDomain:
    """The same on log u and log v: slower, and right for any gamma.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Marginal s, (B, N).
        target (Tensor): Marginal d, (B, M).
        gamma (float): Strength of the entropy.
    """

    def __init__(
        self, cost: Tensor, source: Tensor, target: Tensor, gamma: float
    ) -> None:
        self.source, self.target, self.gamma = source, target, gamma
        self.log_kernel = -cost / gamma
        # A floor instead of log 0 = -inf keeps gradients finite.
        tiny = torch.finfo(cost.dtype).tiny
        self.log_source = source.clamp_min(tiny).log()
        self.log_target = target.clamp_min(tiny).log()

    def start(self) -> State:
        """Set log u and log v before the first iteration."""
        return torch.zeros_like(self.target), torch.zeros_like(self.source)

    def step(self, log_u: Tensor, log_v: Tensor) -> State:
        """Apply Eq. 9 to log u (B, M) and log v (B, N)."""
        sums = torch.logsumexp(self.log_kernel + log_v[:, :, None], 1)
        log_u = self.log_target - sums
        sums = torch.logsumexp(self.log_kernel + log_u[:, None, :], 2)
        log_v = self.log_source - sums
        return log_u, log_v

    def flow(self, log_u: Tensor, log_v: Tensor) -> Tensor:
        """Give Eq. 10, (B, N, M); exactly zero where a weight is."""
        log_flow = log_v[:, :, None] + self.log_kernel + log_u[:, None, :]
        has_source, has_target = self.source != 0, self.target != 0
        mask = has_source[:, :, None] & has_target[:, None, :]
        return log_flow.exp().where(mask, 0)

    def potentials(self, log_u: Tensor, log_v: Tensor) -> State:
        """Give f (B, N) and g (B, M) of :class:`TransportPlan`."""
        nowhere = -torch.inf
        return (
            (self.gamma * log_v).where(self.source != 0, nowhere),
            (self.gamma * log_u).where(self.target != 0, nowhere),
        )
