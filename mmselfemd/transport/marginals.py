"""The weight of each node in the transport: Eq. 14, Eq. 15, uniform.

All return unnormalised weights that are never negative; the transport
normalises them (:func:`normalise_marginals`).
"""

import torch
from torch import Tensor

from .precision import full_precision


@full_precision
def vector_marginals(nodes: Tensor, vector: Tensor) -> Tensor:
    r"""Weights by agreement with the other view's pooled vector, Eq. 15.

    .. math::
        s_i = \max\{x_i^T v_y, 0\}

    Args:
        nodes (Tensor): Nodes x of this view, (B, N, C).
        vector (Tensor): Pooled vector v of the *other* view, (B, C).

    Returns:
        Tensor: Weights, (B, N).

    Raises:
        ValueError: If the shapes do not fit each other.
    """
    if nodes.dim() != 3 or vector.shape != nodes[:, 0].shape:
        raise ValueError(
            'nodes must be (B, N, C) and vector (B, C), but got '
            f'{tuple(nodes.shape)} and {tuple(vector.shape)}'
        )
    return (nodes * vector[:, None]).sum(-1).relu()


@full_precision
def mean_marginals(nodes: Tensor, other_nodes: Tensor) -> Tensor:
    r"""Weights by agreement with the other view's average node, Eq. 14.

    .. math::
        s_i = \max\{x_i^T \frac{1}{M} \sum_j y_j, 0\}

    Args:
        nodes (Tensor): Nodes x of this view, (B, N, C).
        other_nodes (Tensor): Nodes y of the other view, (B, M, C).

    Returns:
        Tensor: Weights, (B, N).
    """
    return vector_marginals(nodes, other_nodes.mean(1))


def uniform_marginals(nodes: Tensor) -> Tensor:
    """The same weight for every node.

    Args:
        nodes (Tensor): Nodes of a view, (B, N, C).

    Returns:
        Tensor: Weights of one, (B, N).
    """
    return torch.ones_like(nodes[..., 0])


@full_precision
def normalise_marginals(weights: Tensor) -> Tensor:
    """Scale the weights of each image to a sum of one.

    Where all nodes of an image have weight zero, they all get the same: an
    image that agrees with nothing is compared as a whole rather than lost.

    Args:
        weights (Tensor): Weights >= 0, (B, N).

    Returns:
        Tensor: Marginals, (B, N); each row sums to one.
    """
    largest = weights.amax(-1, keepdim=True)
    weights = weights / largest.where(largest != 0, 1)  # no sum overflows
    total = weights.sum(-1, keepdim=True)
    uniform = 1 / weights.shape[-1]
    return torch.where(
        total == 0, uniform, weights / total.where(total != 0, 1)
    )
