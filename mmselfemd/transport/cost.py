"""The ground cost between nodes, Eq. 11."""

import torch
from torch import Tensor

from .precision import full_precision

# Of a shorter node float16, with steps of 6e-8, leaves little direction.
_SHORTEST = 1e-6


@full_precision
def cosine_cost(x: Tensor, y: Tensor) -> Tensor:
    r"""Cost of moving one unit from a node of X to a node of Y, Eq. 11.

    .. math::
        c_{ij} = 1 - \frac{x_i^T y_j}{\|x_i\| \|y_j\|}

    The slope of a cosine by a node grows as the node shrinks. One shorter
    than 1e-6 therefore counts as of length zero: it costs 1 to everywhere,
    and gets no gradient.

    Args:
        x (Tensor): Nodes of X, (B, N, C).
        y (Tensor): Nodes of Y, (B, M, C).

    Returns:
        Tensor: Costs (B, N, M), in [0, 2] up to rounding.

    Raises:
        ValueError: If the shapes do not fit each other, or are empty.
    """
    fit = x.dim() == y.dim() == 3 and x.shape[::2] == y.shape[::2]
    if not fit or 0 in (*x.shape, *y.shape):
        raise ValueError(
            'x and y must be nodes of shape (B, N, C) and (B, M, C), none of '
            f'them 0, but got {tuple(x.shape)} and {tuple(y.shape)}'
        )
    return 1 - _directions(x) @ _directions(y).mT


def _directions(nodes: Tensor) -> Tensor:
    length = torch.linalg.vector_norm(nodes, dim=-1, keepdim=True)
    # Over infinity, both the direction and its gradient are zero.
    return nodes / length.masked_fill(length < _SHORTEST, torch.inf)
