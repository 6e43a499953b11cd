"""A loss along a flow that is not that between the nodes it compares."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor

from mmselfemd.transport import cosine_cost

from ..embedding import Embedding
from .byol_head import BYOLHead
from .emd_head import EMDHead


class GivenFlowHead(EMDHead):
    """Compares nodes along a flow that something else tells.

    For studies of what the flow adds: the flow is changed, and predictor,
    cost and the loss of the vectors are those of :class:`EMDHead`.
    """

    flow_is_own = False

    @abstractmethod
    def flow(self, query: int, key: int, pair: Sequence[Embedding]) -> Tensor:
        """Flow between the nodes of two views.

        Args:
            query (int): Number of the view that predicts.
            key (int): Number of the view that is predicted.
            pair (Sequence[Embedding]): The prediction with N nodes, and the
                key with M.

        Returns:
            Tensor: Flow, (B, N, M), without gradient. An image without any
            counts for nothing.
        """

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
            as those of :class:`EMDHead`, the latter over the images that
            have a flow.
        """
        losses = []
        for i, j in self.pair_numbers(len(queries), len(keys)):
            cost = cosine_cost(queries[i].nodes, keys[j].nodes)
            flow = self.flow(i, j, (queries[i], keys[j])).to(cost)
            similarity = ((1 - cost) * flow).sum((1, 2))
            losses.append((2 - 2 * similarity)[flow.sum((1, 2)) > 0])
        emd = torch.cat(losses)
        # Of all processes, for their gradients are averaged.
        count = torch.tensor(float(len(emd)), device=emd.device)
        all_reduce(count, 'mean')
        loss_byol = BYOLHead.loss(self, queries, keys)['loss_byol']
        return dict(
            loss_byol=self.byol_weight * loss_byol,
            # A sum keeps the gradient where no two views overlap.
            loss_emd=2 * emd.sum() / count.clamp_min(1 / get_world_size()),
        )
