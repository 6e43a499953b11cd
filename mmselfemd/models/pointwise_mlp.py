"""The MLP of BYOL's projector and predictor, as 1 x 1 convolutions."""

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseMLP(BaseModule):
    """Two 1 x 1 convolutions with a norm and a ReLU between them.

    Applied to a map it is the paper's head without pooling ("replace the
    linear layer in the MLP head with 1 x 1 convolution layer"); applied to a
    1 x 1 map it is the MLP head of BYOL.

    Args:
        in_channels (int): Channels of the input.
        hidden_channels (int): Channels between the two convolutions.
        out_channels (int): Channels of the output, which has no norm.
        norm_cfg (dict): The norm between them.
            Defaults to ``dict(type='SyncBN')``.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        norm_cfg: dict = dict(type='SyncBN'),
    ) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(in_channels, hidden_channels, 1)
        self.norm = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.relu = nn.ReLU(inplace=True)
        self.out = nn.Conv2d(hidden_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the MLP at every position.

        Args:
            x (Tensor): A map, (B, C_in, H, W).

        Returns:
            Tensor: A map, (B, C_out, H, W).
        """
        return self.out(self.relu(self.norm(self.hidden(x))))

    def on_vectors(self, x: Tensor) -> Tensor:
        """Apply the MLP to vectors.

        Args:
            x (Tensor): Vectors, (B, C_in).

        Returns:
            Tensor: Vectors, (B, C_out).
        """
        hidden = _as_linear(self.hidden, x)[:, :, None, None]
        return _as_linear(self.out, self.relu(self.norm(hidden))[:, :, 0, 0])

    def on_nodes(self, x: Tensor) -> Tensor:
        """Apply the MLP to nodes, or to a map of nodes.

        Args:
            x (Tensor): Nodes, (B, N, C_in), or a map, (B, C_in, H, W).

        Returns:
            Tensor: Nodes, (B, N, C_out), or a map, (B, C_out, H, W).
        """
        if x.dim() == 4:
            return self(x)
        return self(x.mT[..., None])[..., 0].mT


def _as_linear(conv: nn.Conv2d, x: Tensor) -> Tensor:
    # On a CPU a convolution of maps of one pixel takes twice as long.
    return F.linear(x, conv.weight.flatten(1), conv.bias)


def dense_branch(
    branch: str, vector_branch: PointwiseMLP, *channels: int, norm_cfg: dict
) -> PointwiseMLP:
    """The MLP of the dense branch, beside that of the vector branch.

    Args:
        branch (str): ``parallel`` for an MLP of its own, ``shared`` for that
            of the vector branch.
        vector_branch (PointwiseMLP): The MLP of the vector branch.
        *channels (int): Channels of input, hidden layer and output.
        norm_cfg (dict): The norm of the hidden layer.

    Returns:
        PointwiseMLP: The MLP.

    Raises:
        ValueError: If ``branch`` is neither.
    """
    if branch == 'shared':
        return vector_branch
    if branch == 'parallel':
        return PointwiseMLP(*channels, norm_cfg)
    raise ValueError(
        f"branch must be 'parallel' or 'shared', but got {branch!r}"
    )
