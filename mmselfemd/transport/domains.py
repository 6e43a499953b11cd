"""One Sinkhorn iteration, Eq. 9, on the scalings or on their logarithms.

Weights and scalings are rows here, (B, 1, N) and (B, 1, M).
"""

import torch
from torch import Tensor

State = tuple[Tensor, Tensor]

# Where a row times a matrix takes half the time of a sum over products (a
# matrix times a column takes twice). A GPU may round it to TF32, and would
# lose the marginals.
_WITH_PRODUCTS = ('cpu',)


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
        self.source, self.target = source[:, None], target[:, None]
        self.gamma = gamma
        self.floor = cost.detach().amin((1, 2), keepdim=True)
        self.kernel = torch.exp((self.floor - cost) / gamma)
        self.transposed = self.kernel.mT

    def start(self) -> State:
        """Set u and v before the first iteration."""
        return torch.ones_like(self.target), torch.ones_like(self.source)

    def step(self, u: Tensor, v: Tensor) -> State:
        """Apply Eq. 9 to u (B, 1, M) and v (B, 1, N)."""
        u = self.target / _product(v, self.kernel)
        v = self.source / _product(u, self.transposed)
        return u, v

    def flow(self, u: Tensor, v: Tensor) -> Tensor:
        """Give Eq. 10, (B, N, M)."""
        return v.mT * self.kernel * u

    def potentials(self, u: Tensor, v: Tensor) -> State:
        """Give f (B, N) and g (B, M) of :class:`TransportPlan`."""
        f = self.gamma * v.log() + self.floor
        return f[:, 0], self.gamma * u.log()[:, 0]


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
        self.source, self.target = source[:, None], target[:, None]
        self.gamma = gamma
        self.log_kernel = -cost / gamma
        # A floor instead of log 0 = -inf keeps gradients finite.
        tiny = torch.finfo(cost.dtype).tiny
        self.log_source = self.source.clamp_min(tiny).log()
        self.log_target = self.target.clamp_min(tiny).log()

    def start(self) -> State:
        """Set log u and log v before the first iteration."""
        return torch.zeros_like(self.target), torch.zeros_like(self.source)

    def step(self, log_u: Tensor, log_v: Tensor) -> State:
        """Apply Eq. 9 to log u (B, 1, M) and log v (B, 1, N)."""
        sums = torch.logsumexp(self.log_kernel + log_v.mT, 1)
        log_u = self.log_target - sums[:, None]
        sums = torch.logsumexp(self.log_kernel + log_u, 2)
        log_v = self.log_source - sums[:, None]
        return log_u, log_v

    def flow(self, log_u: Tensor, log_v: Tensor) -> Tensor:
        """Give Eq. 10, (B, N, M); exactly zero where a weight is."""
        log_flow = log_v.mT + self.log_kernel + log_u
        mask = (self.source != 0).mT & (self.target != 0)
        return log_flow.exp().where(mask, 0)

    def potentials(self, log_u: Tensor, log_v: Tensor) -> State:
        """Give f (B, N) and g (B, M) of :class:`TransportPlan`."""
        f, g = self.gamma * log_v, self.gamma * log_u
        nowhere = -torch.inf
        return (
            f.where(self.source != 0, nowhere)[:, 0],
            g.where(self.target != 0, nowhere)[:, 0],
        )


def _product(row: Tensor, matrix: Tensor) -> Tensor:
    """Rows (B, 1, N) times matrices (B, N, M)."""
    if matrix.device.type in _WITH_PRODUCTS:
        return torch.bmm(row, matrix)
    return (row.mT * matrix).sum(1, keepdim=True)
