"""Self-EMD: Self-Supervised Object Detection without ImageNet.

https://arxiv.org/abs/2011.13677
"""

from copy import deepcopy
from typing import Any

import torch
from mmpretrain.models import BaseSelfSupervisor
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmselfemd.registry import MODELS

from ..embedding import Embedding
from ..norm_statistics import batch_statistics


@MODELS.register_module()
class SelfEMD(BaseSelfSupervisor):
    """Self-EMD.

    The query encoder (backbone, neck and the head's predictor) is trained to
    predict, for each view of an image, what the key encoder makes of another
    view. The key encoder (backbone and neck) is a moving average of it, moved
    by :class:`mmselfemd.engine.MomentumUpdateHook`. Both are compared node by
    node under the Earth Mover's Distance and, pooled, as in BYOL.

    Args:
        backbone (dict): Config of the backbone; its last map is used.
        neck (dict | list[dict]): Config of the neck, which gives an
            :class:`Embedding`.
        head (dict): Config of the head, with ``predict``; a call of it gives
            the losses.
        num_key_views (int): The first so many views are keys as well as
            queries; any further one is a query only. Defaults to 2.
        data_preprocessor (dict, optional): Config of the preprocessor.
            Defaults to None: mmpretrain's ``SelfSupDataPreprocessor``.
        init_cfg (dict | list[dict], optional): Initialisation.
            Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | list[dict],
        head: dict,
        num_key_views: int = 2,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # Upstream's default name has no scope, and is not found from ours.
        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = dict(
                type='mmpretrain.SelfSupDataPreprocessor'
            ) | (data_preprocessor or {})
        super().__init__(
            backbone=backbone,
            neck=neck,
            head=head,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.num_key_views = num_key_views
        # A ModuleDict keeps mmengine from initialising the copy by itself:
        # it becomes a copy of the query when training starts.
        self.key = nn.ModuleDict(
            dict(backbone=deepcopy(self.backbone), neck=deepcopy(self.neck))
        )
        self.key.requires_grad_(False)
        self.has_momentum_hook = False

    def encoder(self, view: Tensor) -> Embedding:
        """Embed a view with the query's backbone and neck.

        Args:
            view (Tensor): Images, (B, 3, H, W).

        Returns:
            Embedding: Nodes (B, N, C) and vector (B, C).
        """
        return self.neck(self.backbone(view))

    @torch.no_grad()
    def key_encoder(self, view: Tensor) -> Embedding:
        """Embed a view with the key's backbone and neck.

        Args:
            view (Tensor): Images, (B, 3, H, W).

        Returns:
            Embedding: Nodes (B, N, C) and vector (B, C), without gradient.
        """
        return self.key['neck'](self.key['backbone'](view))

    def loss(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Losses of the views of a batch of images.

        Args:
            inputs (list[Tensor]): One batch of images (B, 3, H, W) a view;
                sizes may differ between views.
            data_samples (list[DataSample]): Not used.

        Returns:
            dict[str, Tensor]: Losses and what else the head logs.

        Raises:
            RuntimeError: If nothing moves the key encoder.
        """
        if not self.has_momentum_hook:
            raise RuntimeError(
                'No hook moves the key encoder, so that it would stay at its '
                'first weights: add momentum_update=dict(type='
                "'mmselfemd.MomentumUpdateHook') to default_hooks"
            )
        queries = [self.head.predict(self.encoder(view)) for view in inputs]
        keys = [
            self.key_encoder(view) for view in inputs[: self.num_key_views]
        ]
        return self.head(queries, keys)  # Eq. 2 and 11-15

    def forward(
        self,
        inputs: Tensor | list[Tensor],
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Losses, feature maps for metrics, or the backbone's maps.

        Args:
            inputs (Tensor | list[Tensor]): Images, or those of each view.
            data_samples (list[DataSample], optional): One an image.
                Defaults to None.
            mode (str): ``loss``, ``predict`` or ``tensor``.
                Defaults to 'tensor'.

        Returns:
            Any: What :meth:`loss` or :meth:`predict` returns, or the maps of
            the backbone.
        """
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return super().forward(inputs, data_samples, mode)

    def predict(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> list[DataSample]:
        """Last maps of the query's backbone, for metrics.

        Norms use the statistics of the batch, so that any moment of training
        can be measured in the same way, the first one too.

        Args:
            inputs (list[Tensor]): One batch of images (B, 3, H, W) a view.
            data_samples (list[DataSample]): One an image.

        Returns:
            list[DataSample]: With ``feature_maps``, (C, H, W) of each view.
        """
        with batch_statistics(self.backbone):
            maps = [self.backbone(view)[-1] for view in inputs]
        for sample, *feature_maps in zip(data_samples, *maps, strict=True):
            sample.set_field(feature_maps, 'feature_maps')
        return data_samples

    @torch.no_grad()
    def reset_key(self) -> None:
        """Make the key encoder equal to the query, buffers included."""
        self.key['backbone'].load_state_dict(self.backbone.state_dict())
        self.key['neck'].load_state_dict(self.neck.state_dict())

    @torch.no_grad()
    def update_key(self, momentum: float) -> None:
        r"""Move the key encoder towards the query, Eq. 1.

        .. math::
            \xi \leftarrow m \xi + (1 - m) \theta

        Its BN buffers are its own: they follow what it sees itself.

        Args:
            momentum (float): m, in [0, 1].
        """
        query = [*self.backbone.parameters(), *self.neck.parameters()]
        torch._foreach_lerp_([*self.key.parameters()], query, 1 - momentum)
