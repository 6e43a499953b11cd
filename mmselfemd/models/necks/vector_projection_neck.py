"""BYOL's projector."""

from mmengine.model import BaseModule
from torch import Tensor

from mmselfemd.registry import MODELS

from ..embedding import Embedding
from ..pointwise_mlp import PointwiseMLP


@MODELS.register_module()
class VectorProjectionNeck(BaseModule):
    """Pools the backbone's map and projects it to one vector, as in BYOL.

    Args:
        in_channels (int): Channels of the backbone's last map.
        hidden_channels (int): Channels of the hidden layer.
            Defaults to 4096.
        out_channels (int): Channels of the vector. Defaults to 256.
        norm_cfg (dict): Norm of the hidden layer.
            Defaults to ``dict(type='SyncBN')``.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 4096,
        out_channels: int = 256,
        norm_cfg: dict = dict(type='SyncBN'),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.vector_projector = PointwiseMLP(
            in_channels, hidden_channels, out_channels, norm_cfg
        )

    def forward(self, features: tuple[Tensor, ...]) -> Embedding:
        """Project the last map.

        Args:
            features (tuple[Tensor]): Maps of the backbone; the last one,
                (B, C, H, W), is used.

        Returns:
            Embedding: Vector (B, C_out), and no nodes.
        """
        pooled = features[-1].mean((2, 3))
        return Embedding(None, self.vector_projector.on_vectors(pooled))
