"""Self-EMD with pairs that the crops' geometry knows, in place of the flow.

Not the paper's: https://arxiv.org/abs/2011.05499 (VADeR) and
https://arxiv.org/abs/2011.10043 (PixPro) take their positive pairs so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.registry import MODELS

from ..heads import KnownPairsHead
from ..necks import SPCNeck
from ..node_geometry import nodes_in_image, pyramid_places
from .self_emd import SelfEMD


@MODELS.register_module()
class KnownPairs(SelfEMD):
    """:class:`SelfEMD` that tells :class:`KnownPairsHead` where nodes lie.

    It needs the views' geometry in the data samples, as ``CutViews`` gives
    it, and a pyramid (``SPCNeck``) in the neck. Its arguments are those of
    :class:`SelfEMD`.

    Raises:
        ValueError: If the head is another one.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not isinstance(self.head, KnownPairsHead):
            raise ValueError(
                f'KnownPairs with a {type(self.head).__name__}: its head is '
                "dict(type='KnownPairsHead'), which takes what an EMDHead does"
            )

    def loss(
        self, inputs: list[Tensor], data_samples: list[DataSample]
    ) -> dict[str, Tensor]:
        """Losses of the views of a batch of images.

        Args:
            inputs (list[Tensor]): One batch of images (B, 3, H, W) a view.
            data_samples (list[DataSample]): With ``views``.

        Returns:
            dict[str, Tensor]: Losses.

        Raises:
            ValueError: If there is no pyramid, or no geometry of the views.
        """
        modules = self.neck.modules()
        pyramid = next((m for m in modules if isinstance(m, SPCNeck)), None)
        if pyramid is None:
            raise ValueError(
                'KnownPairs needs the pyramid that makes the nodes: put '
                'SPCNeck last in the neck'
            )
        if not all('views' in sample for sample in data_samples):
            raise ValueError(
                'KnownPairs needs to know where each view was cut: take '
                "CutViews in the train_pipeline, and keep 'views' among the "
                'meta_keys of PackInputs'
            )

        def locate(view: int, num_nodes: int) -> tuple[Tensor, Tensor]:
            geometry = [sample.views[view] for sample in data_samples]
            return node_places(geometry, num_nodes, pyramid)

        self.head.locate = locate
        try:
            return super().loss(inputs, data_samples)
        finally:
            self.head.locate = None  # holds a batch, and cannot be pickled


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
