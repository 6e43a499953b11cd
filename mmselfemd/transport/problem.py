"""What is refused before any transport problem is solved."""

import torch
from torch import Tensor


def check_settings(gamma: float, max_iters: int, domain: str) -> None:
    """Refuse settings that solve no problem.

    Args:
        gamma (float): Strength of the entropy.
        max_iters (int): Number of iterations.
        domain (str): What is iterated on.

    Raises:
        ValueError: If one is out of its range.
    """
    if domain not in ('auto', 'linear', 'log'):
        raise ValueError(
            f"domain must be 'auto', 'linear' or 'log', but got {domain!r}"
        )
    if not gamma > 0:
        raise ValueError(f'gamma must be > 0, but got {gamma}')
    if max_iters < 1:
        raise ValueError(f'max_iters must be >= 1, but got {max_iters}')


def check_problem(cost: Tensor, source: Tensor, target: Tensor) -> float:
    """Refuse what is not a batch of transport problems.

    Everything that has to be read from the device is read at once.

    Args:
        cost (Tensor): Costs, (B, N, M).
        source (Tensor): Weights of the nodes of X, (B, N).
        target (Tensor): Weights of the nodes of Y, (B, M).

    Returns:
        float: The widest spread of costs within a problem.

    Raises:
        ValueError: If a shape does not fit or a weight is negative.
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
    spread = cost.detach().amax((1, 2)) - cost.detach().amin((1, 2))
    # One bad problem must not choose how the others are solved.
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


def refuse_non_finite(**tensors: Tensor) -> None:
    """Refuse a NaN or an infinity.

    Args:
        **tensors (Tensor): Tensors by the names of the arguments.

    Raises:
        ValueError: With the name and how many entries are not finite.
    """
    for name, tensor in tensors.items():
        num_bad = int((~tensor.isfinite()).sum())
        if num_bad:
            raise ValueError(
                f'{name} must be finite, but {num_bad} of its '
                f'{tensor.numel()} entries are not'
            )
