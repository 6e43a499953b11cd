"""Compares the nodes that the crops' geometry pairs."""

from collections.abc import Callable, Sequence

from torch import Tensor

from mmselfemd.registry import MODELS

from ..embedding import Embedding
from .given_flow_head import GivenFlowHead


@MODELS.register_module()
class KnownPairsHead(GivenFlowHead):
    """Compares the nodes that lie at the same place, by the crops' geometry.

    Each node of the query that has nodes of the key within a cell of the
    key's map is compared with all of them, in equal shares, and every such
    node weighs the same. Nothing is transported, and the options of the
    transport and of its marginals are without effect: it is what a flow that
    never errs would teach (docs/small_experiments.md).

    Attributes:
        locate (Callable): From the number of a view and that of its nodes to
            :func:`node_places`; :class:`KnownPairs` sets it.
    """

    locate: Callable[[int, int], tuple[Tensor, Tensor]] | None = None

    def flow(self, query: int, key: int, pair: Sequence[Embedding]) -> Tensor:
        """Flow between the nodes that lie at the same place.

        Args:
            query (int): Number of the view that predicts.
            key (int): Number of the view that is predicted.
            pair (Sequence[Embedding]): Prediction and key.

        Returns:
            Tensor: Flow, (B, N, M); none where the views do not overlap.

        Raises:
            RuntimeError: If the model is no :class:`KnownPairs`.
        """
        if self.locate is None:
            raise RuntimeError(
                'Nothing tells KnownPairsHead where the nodes lie: set '
                "type='KnownPairs' in the model"
            )
        places, others = (
            self.locate(view, embedding.nodes.shape[1])
            for view, embedding in zip((query, key), pair, strict=True)
        )
        return known_flow(places[0], *others)


def known_flow(query: Tensor, key: Tensor, cell: Tensor) -> Tensor:
    """Flow from each node to those within a cell of it, in equal shares.

    Args:
        query (Tensor): Places of the query's nodes, (B, N, 2).
        key (Tensor): Places of the key's nodes, (B, M, 2).
        cell (Tensor): Width and height of a cell of the key's map,
            (B, 1, 1, 2).

    Returns:
        Tensor: Flow, (B, N, M). It sums to 1 over the nodes that have any
        within reach, who weigh the same, and is 0 where none has.
    """
    distance = (query[:, :, None] - key[:, None]).abs() / cell
    near = (distance <= 1 + 1e-6).all(-1).double()  # as within_a_cell
    share = near / near.sum(2, keepdim=True).clamp_min(1)
    return share / share.sum((1, 2), keepdim=True).clamp_min(1)
