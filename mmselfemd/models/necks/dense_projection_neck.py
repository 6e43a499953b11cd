"""The projector, dense and pooled."""

from torch import Tensor

from mmselfemd.registry import MODELS

from ..embedding import Embedding
from ..norm_statistics import running_statistics
from ..pointwise_mlp import dense_branch
from .vector_projection_neck import VectorProjectionNeck


@MODELS.register_module()
class DenseProjectionNeck(VectorProjectionNeck):
    """Projects the backbone's map densely, and pooled to one vector.

    The dense branch is BYOL's projector without the pooling before it, Sec.
    3.2; the vector branch is BYOL's projector ("we still keep the original
    MLP head as a parallel branch to generate vector features", Sec. 4.1).

    Args:
        in_channels (int): Channels of the backbone's last map.
        hidden_channels (int): Channels of the hidden layers.
            Defaults to 4096.
        out_channels (int): Channels of nodes and vector. Defaults to 256.
        norm_cfg (dict): Norm of the hidden layers.
            Defaults to ``dict(type='SyncBN')``.
        node_vectors (bool): Whether to apply the vector branch to the
            features of each node too, as the weights of ``EMDHead`` need
            with ``weight_nodes='vector'``. Defaults to True.
        branch (str): ``parallel``: the two branches have weights of their
            own; ``shared``: one projector serves both.
            Defaults to 'parallel'.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: If ``branch`` is neither.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int = 4096,
        out_channels: int = 256,
        norm_cfg: dict = dict(type='SyncBN'),
        node_vectors: bool = True,
        branch: str = 'parallel',
        init_cfg: dict | None = None,
    ) -> None:
        channels = (in_channels, hidden_channels, out_channels)
        super().__init__(*channels, norm_cfg, init_cfg)
        self.dense_projector = dense_branch(
            branch, self.vector_projector, *channels, norm_cfg=norm_cfg
        )
        self.node_vectors = node_vectors

    def forward(self, features: tuple[Tensor, ...]) -> Embedding:
        """Project the last map.

        Args:
            features (tuple[Tensor]): Maps of the backbone; the last one,
                (B, C, H, W), is used.

        Returns:
            Embedding: Map (B, C_out, H, W) and vector (B, C_out), and with
            ``node_vectors`` what the vector branch makes of each place,
            (B, C_out, H, W), without gradient.
        """
        last = features[-1]
        nodes = self.dense_projector(last)
        vector = super().forward(features).vector
        node_vectors = None
        if self.node_vectors:
            with running_statistics(self.vector_projector):
                node_vectors = self.vector_projector(last)
        return Embedding(nodes, vector, node_vectors)
