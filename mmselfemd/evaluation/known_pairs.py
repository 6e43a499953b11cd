"""What a flow that never errs would teach: a bound, not a method."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import BYOLHead, EMDHead
from mmselfemd.models.necks import SPCNeck
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.registry import MODELS
from mmselfemd.transport import cosine_cost

from .geometry import nodes_in_image
from .transport import pyramid_places


@MODELS.register_module()
class KnownPairsHead(EMDHead):
    """Compares the nodes that lie at the same place, by the crops' geometry.

    It stands in for :class:`EMDHead` in a study of what the flow adds: each
    node of the query that has nodes of the key within a cell of the key's map
    is compared with all of them, in equal shares, and every such node weighs
    the same. Nothing is transported, and the options of the transport and of
    its marginals are without effect.

    Attributes:
        locate (Callable): From the number of a view and that of its nodes to
            :func:`node_places`; :class:`KnownPairs` sets it.
    """

    locate: Callable[[int, int], tuple[Tensor, Tensor]]

    def loss(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> dict[str, Tensor]:
        """Losses of all pairs of a query and a key.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views, in the same
                order, without gradient.

        Returns:
            dict[str, Tensor]: ``loss_byol`` (times lambda) and ``loss_emd``,
            as those of :class:`EMDHead`, the latter over the images whose
            views overlap.
        """
        places = [
            self.locate(number, query.nodes.shape[1])
            for number, query in enumerate(queries)
        ]
        losses = []
        for i, j in self.pair_numbers(len(queries), len(keys)):
            cost = cosine_cost(queries[i].nodes, keys[j].nodes)
            flow = known_flow(places[i][0], *places[j]).to(cost)
            similarity = ((1 - cost) * flow).sum((1, 2))
            losses.append((2 - 2 * similarity)[flow.sum((1, 2)) > 0])
        emd = torch.cat(losses)
        loss_byol = BYOLHead.loss(self, queries, keys)['loss_byol']
        return dict(
            loss_byol=self.byol_weight * loss_byol,
            # A sum keeps the gradient where no two views overlap.
            loss_emd=2 * emd.sum() / max(len(emd), 1),
        )


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
