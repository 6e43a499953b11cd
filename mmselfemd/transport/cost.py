"""The ground cost between nodes, Eq. 11."""

import torch.nn.functional as F
from torch import Tensor

from .precision import full_precision


@full_precision
def cosine_cost(x: Tensor, y: Tensor) -> Tensor:
    r"""Cost of moving one unit from a node of X to a node of Y, Eq. 11.

    .. math::
        c_{ij} = 1 - \frac{x_i^T y_j}{\|x_i\| \|y_j\|}

    Args:
        x (Tensor): Nodes of X, (B, N, C).
        y (Tensor): Nodes of Y, (B, M, C).

    Returns:
        Tensor: Costs (B, N, M), in [0, 2] up to rounding. A node of length
        zero costs 1 to everywhere.

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    if x.dim() != 3 or y.dim() != 3 or x.shape[::2] != y.shape[::2]:
        raise ValueError(
            'x and y must be nodes of shape (B, N, C) and (B, M, C), but got '
            f'{tuple(x.shape)} and {tuple(y.shape)}'
        )
    return 1 - F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).mT
