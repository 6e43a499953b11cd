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
        query_maps (list[Tensor], optional): Nodes of the backbone's map of
            each view, (B, N, C); :class:`BackboneFlow` sets them.
        key_maps (list[Tensor], optional): The same of the key's backbone.
    """

    query_maps: list[Tensor] | None = None
    key_maps: list[Tensor] | None = None

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

        Raises:
            RuntimeError: If the model is no :class:`BackboneFlow`.
        """
        if self.query_maps is None:
            raise RuntimeError(
                "Nothing shows BackboneFlowHead the backbone's maps: set "
                "type='BackboneFlow' in the model"
            )
        return sinkhorn(
            cosine_cost(self.query_maps[query], self.key_maps[key]),
            self.node_weights(*pair),
            self.node_weights(*pair[::-1]),
            gamma=self.transport_cfg['gamma'],
            max_iters=self.transport_cfg['max_iters'],
        ).flow


@MODELS.register_module()
class BackboneFlow(SelfEMD):
    """:class:`SelfEMD` that shows :class:`BackboneFlowHead` its maps.

    Raises:
        ValueError: If the head is another one, or no pyramid (``SPCNeck``) is
            in the neck.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.head, BackboneFlowHead):
            raise ValueError(
                f'BackboneFlow with a {type(self.head).__name__}: its head is '
                "dict(type='BackboneFlowHead')"
            )
        modules = self.neck.modules()
        if not any(isinstance(module, SPCNeck) for module in modules):
            raise ValueError('BackboneFlow needs SPCNeck last in the neck')

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
        try:
            return super().loss(inputs, data_samples)
        finally:
            self.head.query_maps = self.head.key_maps = None

    def encoder(self, view: Tensor) -> Embedding:
        """As of :class:`SelfEMD`; the head sees the map.

        Args:
            view (Tensor): Images, (B, 3, H, W).

        Returns:
            Embedding: Nodes (B, N, C) and vector (B, C).
        """
        maps = self.backbone(view)
        if self.head.query_maps is not None:
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
        if self.head.key_maps is not None:
            self.head.key_maps.append(self._nodes(maps[-1]))
        return self.key['neck'](maps)

    def _nodes(self, feature_map: Tensor) -> Tensor:
        pyramid = next(m for m in self.neck if isinstance(m, SPCNeck))
        return pyramid.pyramid(feature_map)
