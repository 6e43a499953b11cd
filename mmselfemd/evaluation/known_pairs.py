"""What a flow that never errs would teach: a bound, not a method."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.models.embedding import Embedding
from mmselfemd.models.necks import SPCNeck
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.registry import MODELS

from .geometry import nodes_in_image
from .given_flow import GivenFlowHead
from .transport import pyramid_places


@MODELS.register_module()
class KnownPairsHead(GivenFlowHead):
    """Compares the nodes that lie at the same place, by the crops' geometry.

    It stands in for ``EMDHead`` in a study of what the flow adds: each
    node of the query that has nodes of the key within a cell of the key's map
    is compared with all of them, in equal shares, and every such node weighs
    the same. Nothing is transported, and the options of the transport and of
    its marginals are without effect.

    Attributes:
        locate (Callable): From the number of a view and that of its nodes to
            :func:`node_places`; :class:`KnownPairs` sets it.
    """

    locate: Callable[[int, int], tuple[Tensor, Tensor]]

    def flow(self, query: int, key: int, pair: Sequence[Embedding]) -> Tensor:
        """Flow between the nodes that lie at the same place.

        Args:
            query (int): Number of the view that predicts.
            key (int): Number of the view that is predicted.
            pair (Sequence[Embedding]): Prediction and key.

        Returns:
            Tensor: Flow, (B, N, M); none where the views do not overlap.
        """
        places, others = (
            self.locate(view, embedding.nodes.shape[1])
            for view, embedding in zip((query, key), pair, strict=True)
        )
        return known_flow(places[0], *others)


@MODELS.register_module()
class KnownPairs(SelfEMD):
    """:class:`SelfEMD` that tells :class:`KnownPairsHead` where nodes lie.

    It needs the views' geometry in the data samples, as ``CutViews`` gives
    it, and a pyramid (``SPCNeck``) in the neck.
    """

    def loss(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Losses of the views of a batch of images.

        Args:
            inputs (list[Tensor]): One batch of images (B, 3, H, W) a view.
            data_samples (list[DataSample]): With ``views``.

        Returns:
            dict[str, Tensor]: Losses.
        """
        pyramid = next(m for m in self.neck if isinstance(m, SPCNeck))

        def locate(view: int, num_nodes: int) -> tuple[Tensor, Tensor]:
            geometry = [sample.views[view] for sample in data_samples]
            return node_places(geometry, num_nodes, pyramid)

        self.head.locate = locate
        return super().loss(inputs, data_samples)


def node_places(
    views: Sequence[Mapping], num_nodes: int, pyramid: SPCNeck
) -> tuple[Tensor, Tensor]:
    """Where the nodes of one view of each image lie.

    Args:
        views (Sequence[Mapping]): Geometry of the view in each image.
        num_nodes (int): Number N of its nodes.
        pyramid (SPCNeck): The pyramid that made them.

    Returns:
        tuple[Tensor, Tensor]: (x, y) of each node in its image, (B, N, 2),
        and width and height of a cell of the map, (B, 1, 1, 2); float64.
    """
    side = pyramid_places(views[0], num_nodes, pyramid)[1]
    centres = np.stack([nodes_in_image(view, side) for view in views])
    maps = torch.from_numpy(centres).mT.reshape(len(views), 2, side, side)
    boxes = torch.tensor([view['box'] for view in views], dtype=torch.float64)
    return pyramid.pyramid(maps), boxes[:, None, None, 2:] / side


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
