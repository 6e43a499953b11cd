"""What an encoder makes of a view."""

from typing import NamedTuple

from torch import Tensor


class Embedding(NamedTuple):
    """A batch of views, embedded.

    Attributes:
        nodes (Tensor, optional): The dense branch: a map (B, C, H, W) out of
            ``DenseProjectionNeck``, nodes (B, N, C) out of ``SPCNeck``, None
            where there is none (BYOL).
        vector (Tensor): The pooled branch v, (B, C).
        node_vectors (Tensor, optional): What the vector branch makes of the
            features of each node, shaped as ``nodes``, without gradient. It
            serves the weights of Eq. 15 only. Defaults to None.
    """

    nodes: Tensor | None
    vector: Tensor
    node_vectors: Tensor | None = None
