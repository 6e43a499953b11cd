"""Cheaper Pre-training Lunch: An Efficient Paradigm for Object Detection.

https://arxiv.org/abs/2004.12178
"""

from typing import Any

import torch
from mmengine.dist import all_reduce
from mmpretrain.models import BaseClassifier
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmselfemd.registry import MODELS

from ..receptive_field import effective_receptive_field


@MODELS.register_module()
class Montage(BaseClassifier):
    """Montage pre-training, from the boxes of a data set for detection.

    A backbone classifies images that are stitched from four samples each, at
    every position of its last map. The labels of a position follow its
    effective receptive field: see :class:`ERFAdaptiveHead`. The field is
    measured anew at times, by :class:`mmselfemd.engine.LabelWeightsHook`.

    The authors published no code that could be found; this is written from
    public descriptions of the paper, and docs/montage.md says what is theirs
    and what is ours.

    Args:
        backbone (dict): Config of the backbone; its last map is used.
        head (dict): Config of the head, :class:`ERFAdaptiveHead`.
        data_preprocessor (dict, optional): Config of the preprocessor.
            Defaults to None: mmpretrain's ``SelfSupDataPreprocessor``.
        init_cfg (dict | list[dict], optional): Initialisation.
            Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # mmengine's default looks at images of a list.
        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = dict(
                type='mmpretrain.SelfSupDataPreprocessor'
            ) | (data_preprocessor or {})
        super().__init__(init_cfg, data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.has_weights_hook = False

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Maps of the backbone.

        Args:
            inputs (Tensor): Images, (B, 3, H, W).

        Returns:
            tuple[Tensor, ...]: The maps, the last one (B, C, h, w).
        """
        return self.backbone(inputs)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Loss of a batch of montages.

        Args:
            inputs (Tensor): Montages, (B, 3, H, W).
            data_samples (list[DataSample]): Each with ``gt_label``, (4,).

        Returns:
            dict[str, Tensor]: The loss and what else the head logs.

        Raises:
            RuntimeError: If nothing measures the receptive field.
        """
        if not self.has_weights_hook:
            raise RuntimeError(
                'No hook measures the effective receptive field, so that '
                'labels have no weights: add label_weights=dict(type='
                "'mmselfemd.LabelWeightsHook') to default_hooks"
            )
        return self.head.loss(self.extract_feat(inputs), data_samples)

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Losses, or the backbone's maps.

        Args:
            inputs (Tensor): Montages, (B, 3, H, W).
            data_samples (list[DataSample], optional): One a montage.
                Defaults to None.
            mode (str): ``loss`` or ``tensor``. Defaults to 'tensor'.

        Returns:
            Any: What :meth:`loss` or :meth:`extract_feat` returns.

        Raises:
            RuntimeError: If ``mode`` is another one.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'tensor':
            return self.extract_feat(inputs)
        raise RuntimeError(
            f'Invalid mode {mode!r}: Montage has no predictions; its backbone '
            'is what is used'
        )

    @torch.no_grad()
    def update_label_weights(
        self, inputs: Tensor, data_samples: list[DataSample]
    ) -> None:
        """Measure the receptive field, and weight the labels by it, Eq. 2.

        All processes have to call this: their fields are averaged.

        Args:
            inputs (Tensor): Some montages, (B, 3, H, W), normalised.
            data_samples (list[DataSample]): Each with ``regions``, the same
                for all.
        """
        field = effective_receptive_field(self.backbone, inputs)
        all_reduce(field, 'mean')
        self.head.set_label_weights(field, data_samples[0].regions)
