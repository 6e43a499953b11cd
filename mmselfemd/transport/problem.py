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
        ValueError: If a shape does not fit or is empty, the costs are no
            floats, a weight is negative, or the weights of an image sum to
            more than their dtype holds.
    """
    _check_shapes(cost, source, target)
    if not cost.is_floating_point():
        raise ValueError(f'cost must be of floats, but is {cost.dtype}')
    spread = cost.detach().amax((1, 2)) - cost.detach().amin((1, 2))
    # One bad problem must not choose how the others are solved.
    spread = spread.nan_to_num(0, posinf=0).amax()
    # Numbers that are not finite are looked at elsewhere.
    finite = [w.detach().nan_to_num(0, posinf=0) for w in (source, target)]
    lowest = [weights.amin() for weights in finite]
    sums = [weights.sum(1).amax() for weights in finite]
    spread, *found = torch.stack((spread, *lowest, *sums)).tolist()
    for name, weights, low, largest_sum in zip(
        ('source', 'target'), finite, found[:2], found[2:], strict=True
    ):
        if low < 0:
            raise ValueError(
                f'{name} weights must be >= 0, but the lowest is {low}'
            )
        if largest_sum == torch.inf:
            raise ValueError(
                f'{name} weights of an image must have a sum within '
                f'{weights.dtype}, up to {torch.finfo(weights.dtype).max:.2g},'
                f' but it overflows with weights up to {weights.max():.2g}'
            )
    return spread


def _check_shapes(cost: Tensor, source: Tensor, target: Tensor) -> None:
    if cost.dim() != 3 or 0 in cost.shape:
        raise ValueError(
            'cost must be of shape (B, N, M), none of them 0, but got '
            f'{tuple(cost.shape)}'
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
