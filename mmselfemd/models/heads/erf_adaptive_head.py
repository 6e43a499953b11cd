"""Classification of each position, by labels that follow what it sees."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmselfemd.registry import MODELS

from ..label_weights import label_weights, region_masks, region_of_positions

_NUM_REGIONS = 4


@MODELS.register_module()
class ERFAdaptiveHead(BaseModule):
    r"""ERF-adaptive dense classification, "Cheaper Pre-training Lunch", 3.3.

    A 1 x 1 convolution classifies each position of the last map, and the
    cross entropy is that with a soft label, the weighted sum of the labels of
    the four regions,

    .. math::
        \tilde y^{j,k} = \sum_{i=1}^4 w_i^{j,k} y_i \qquad (1)

    where the weights follow the effective receptive field of the position,
    :func:`label_weights` (Eq. 2). The loss is averaged within the positions
    of each region first, and then over the regions, so that the larger ones
    count no more.

    Ours: background is one class more, after the others (the paper's
    "negative samples" have a label; how many outputs there are it is not
    known to say).

    Args:
        num_classes (int): Number of classes, without background.
        in_channels (int): Channels of the map.
        map_size (tuple[int, int]): Height and width of the map.
            Defaults to (7, 7).
        threshold (float): tau of Eq. 2: how much the label of its own region
            counts at a position at least, in [0, 1]. Defaults to 0.7.
        init_cfg (dict, optional): Initialisation. Defaults to a normal one of
            0.01, as mmpretrain's linear classifier has it.

    Raises:
        ValueError: If ``threshold`` is not in [0, 1].
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        map_size: tuple[int, int] = (7, 7),
        threshold: float = 0.7,
        init_cfg: dict | None = dict(type='Normal', layer='Conv2d', std=0.01),
    ) -> None:
        super().__init__(init_cfg)
        if not 0 <= threshold <= 1:
            raise ValueError(f'threshold={threshold} is not in [0, 1]')
        self.num_classes = num_classes
        self.threshold = threshold
        self.classifier = nn.Conv2d(in_channels, num_classes + 1, 1)
        # In the checkpoint: a resumed run goes on with these weights.
        self.register_buffer(
            'label_weights', torch.zeros(_NUM_REGIONS, *map_size)
        )
        self.register_buffer(
            'region', torch.zeros(tuple(map_size), dtype=torch.long)
        )

    def set_label_weights(
        self, field: Tensor, regions: Sequence[Sequence[int]]
    ) -> None:
        """Weight the labels by an effective receptive field.

        Args:
            field (Tensor): Of each position, (h, w, H, W).
            regions (Sequence[Sequence[int]]): Left, top, width and height of
                each region, in pixels.

        Raises:
            ValueError: If the field is of another map, a region has no
                position, or a position depends on no pixel.
        """
        map_size = tuple(self.region.shape)
        if tuple(field.shape[:2]) != map_size:
            raise ValueError(
                f"the backbone's last map is {tuple(field.shape[:2])}, and "
                f'model.head.map_size is {map_size}: set it to the former'
            )
        total = field.sum((2, 3))
        if not ((total > 0) & total.isfinite()).all():
            raise ValueError(
                'a position of the map depends on no pixel: its effective '
                'receptive field is 0 or not finite'
            )
        masks = region_masks(regions, tuple(field.shape[2:]))
        region = region_of_positions(masks, map_size).to(field.device)
        self.region.copy_(region)
        self.label_weights.copy_(
            label_weights(
                field, masks.to(field.device), region, self.threshold
            )
        )

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Classify each position.

        Args:
            feats (Sequence[Tensor]): Maps, the last one (B, C, h, w).

        Returns:
            Tensor: Scores before the softmax, (B, num_classes + 1, h, w).
        """
        return self.classifier(feats[-1])

    def loss(
        self, feats: Sequence[Tensor], data_samples: Sequence[DataSample]
    ) -> dict[str, Tensor]:
        """Cross entropy with the soft labels.

        Args:
            feats (Sequence[Tensor]): Maps, the last one (B, C, h, w).
            data_samples (Sequence[DataSample]): Each with ``gt_label``, (4,).

        Returns:
            dict[str, Tensor]: ``loss``; and ``accuracy``, the share of
            regions whose label has the highest mean score.
        """
        # Under autocast too: a loss in float16 has three digits, and its
        # gradient overflows by the first scale of a scaler.
        scores = self(feats).float()
        labels = torch.stack([each.gt_label for each in data_samples])
        labels = labels.to(scores.device)
        accuracy = self._accuracy(scores.detach(), labels)
        losses = self._position_losses(scores, labels)
        blocks = self._block_means(losses[:, None])
        return dict(loss=blocks.mean(), accuracy=accuracy)

    def _position_losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Cross entropy at each position, (B, h, w).

        Eq. 1 need not be written out: the cross entropy with a sum of labels
        is the sum of those with each.
        """
        logs = scores.log_softmax(1)
        where = labels[:, :, None, None].expand(-1, -1, *logs.shape[2:])
        return -(self.label_weights * logs.gather(1, where)).sum(1)

    def _block_means(self, maps: Tensor) -> Tensor:
        """Means of maps (B, C, h, w) within each region, (B, C, 4)."""
        members = torch.nn.functional.one_hot(
            self.region.flatten(), _NUM_REGIONS
        ).to(maps.dtype)
        shares = members / members.sum(0)
        # No matrix product, which autocast would round.
        return (maps.flatten(2)[..., None] * shares).sum(2)

    def _accuracy(self, scores: Tensor, labels: Tensor) -> Tensor:
        found = self._block_means(scores).argmax(1)
        return (found == labels).float().mean()
