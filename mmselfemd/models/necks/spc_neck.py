"""Spatial Pyramid Crops, Sec. 3.3 and Fig. 4."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmselfemd.registry import MODELS

from ..embedding import Embedding


def pools_that_fit(
    size: Sequence[int], pools: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pools whose windows cover a map to its last row and column.

    A pool that leaves a border out would hide what lies there; on the 4 x 4
    map of a 112 view that drops the stride of 2.

    Args:
        size (Sequence[int]): Height and width of the map.
        pools (Sequence[tuple[int, int]]): Kernel size and stride of each.

    Returns:
        list[tuple[int, int]]: Those that fit, in the same order.
    """
    return [
        (kernel, stride)
        for kernel, stride in pools
        if all(
            side >= kernel and (side - kernel) % stride == 0 for side in size
        )
    ]


@MODELS.register_module()
class SPCNeck(BaseModule):
    """Turns a map into the nodes of a spatial pyramid.

    The map itself is the first level; each average pool of it is one more.
    With the defaults a 7 x 7 map gives 49 + 25 + 9 = 83 nodes (7 x 7, 5 x 5
    and 3 x 3 as in the paper), and the 4 x 4 map of a 112 view 16 + 4 = 20.

    Args:
        pools (Sequence[tuple[int, int]]): Kernel size and stride of each
            pool; none for the map alone. One whose windows do not cover the
            whole map is left out for that map. Defaults to
            ``((3, 1), (3, 2))``.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        pools: Sequence[tuple[int, int]] = ((3, 1), (3, 2)),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.pools = [(kernel, stride) for kernel, stride in pools]

    def forward(self, embedding: Embedding) -> Embedding:
        """Pool the maps of an embedding.

        Args:
            embedding (Embedding): With maps, (B, C, H, W).

        Returns:
            Embedding: With nodes, (B, N, C), level after level, row by row.
        """
        nodes, vector, node_vectors = embedding
        return Embedding(
            self.pyramid(nodes),
            vector,
            None if node_vectors is None else self.pyramid(node_vectors),
        )

    def pyramid(self, feature_map: Tensor) -> Tensor:
        """Nodes of all levels of a map.

        Args:
            feature_map (Tensor): A map, (B, C, H, W).

        Returns:
            Tensor: Nodes, (B, N, C).
        """
        levels = [feature_map] + [
            F.avg_pool2d(feature_map, kernel, stride)
            for kernel, stride in pools_that_fit(
                feature_map.shape[2:], self.pools
            )
        ]
        return torch.cat([level.flatten(2).mT for level in levels], dim=1)
