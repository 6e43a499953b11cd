"""The flow from the backbone's maps, the loss on the predictions."""

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import GivenFlowHead
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.registry import MODELS
from mmselfemd.transport import cosine_cost, sinkhorn


@MODELS.register_module()
class BackboneFlowHead(GivenFlowHead):
    """Compares predictions along the flow between the backbones' maps.

    DenseCL (https://arxiv.org/abs/2011.09157, Sec. 3.3), too, finds its
    matches there, each by the largest similarity.
    Weights of the nodes, gamma and number of iterations are those of the
    loss of :class:`EMDHead`. For a study of why the flow adds little.

    Attributes:
        query_maps (list[Tensor]): Nodes of the backbone's map of each view,
            (B, N, C); :class:`BackboneFlow` sets them.
        key_maps (list[Tensor]): The same of the key's backbone.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.query_maps: list[Tensor] = []
        self.key_maps: list[Tensor] = []

    @torch.no_grad()
    def flow(self, query: int, key: int, pair: Sequence[Embedding]) -> Tensor:
        """Flow between the backbones' maps of two views.

        Args:
            query (int): Number of the view that predicts.
            key (int): Number of the view that is predicted.
            pair (Sequence[Embedding]): Prediction and key, which weigh the
                nodes.

        Returns:
            Tensor: Flow, (B, N, M), without gradient.
        """
        return sinkhorn(
            cosine_cost(self.query_maps[query], self.key_maps[key]),
            self.node_weights(*pair),
            self.node_weights(*pair[::-1]),
            gamma=self.transport_cfg['gamma'],
            max_iters=self.transport_cfg['max_iters'],
            warn=False,
        ).flow


@MODELS.register_module()
class BackboneFlow(SelfEMD):
    """:class:`SelfEMD` that shows :class:`BackboneFlowHead` its maps.

    It needs a pyramid (``SPCNeck``) in the neck.
    """

    def loss(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Losses of the views of a batch of images.

        Args:
            inputs (list[Tensor]): One batch of images (B, 3, H, W) a view.
            data_samples (list[DataSample]): Not used.

        Returns:
            dict[str, Tensor]: Losses.
        """
        self.head.query_maps, self.head.key_maps = [], []
        losses = super().loss(inputs, data_samples)
        self.head.query_maps, self.head.key_maps = [], []
        return losses

    def encoder(self, view: Tensor) -> Embedding:
        """As of :class:`SelfEMD`; the head sees the map.

        Args:
            view (Tensor): Images, (B, 3, H, W).

        Returns:
            Embedding: Nodes (B, N, C) and vector (B, C).
        """
        maps = self.backbone(view)
        self.head.query_maps.append(self._nodes(maps[-1].detach()))
        return self.neck(maps)

    @torch.no_grad()
    def key_encoder(self, view: Tensor) -> Embedding:
        """As of :class:`SelfEMD`; the head sees the map.

        Args:
            view (Tensor): Images, (B, 3, H, W).

        Returns:
            Embedding: Nodes (B, N, C) and vector (B, C), without gradient.
        """
        maps = self.key['backbone'](view)
        self.head.key_maps.append(self._nodes(maps[-1]))
        return self.key['neck'](maps)

    def _nodes(self, feature_map: Tensor) -> Tensor:
        pyramid = next(m for m in self.neck if isinstance(m, SPCNeck))
        return pyramid.pyramid(feature_map)
