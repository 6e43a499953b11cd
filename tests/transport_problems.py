"""Transport problems of random costs and weights."""

import torch


def problem(batch=3, n=5, m=7, dtype=torch.double, low=0.0):
    """Costs (B, N, M), and weights (B, N) and (B, M) of at least `low`."""
    cost = 2 * torch.rand(batch, n, m, dtype=dtype)
    source = low + torch.rand(batch, n, dtype=dtype)
    target = low + torch.rand(batch, m, dtype=dtype)
    return cost, source, target


def small_problem(batch=1, n=3, m=4, dtype=torch.double):
    """One with no weight near zero, where slopes are steep."""
    return problem(batch, n, m, dtype, low=0.2)
