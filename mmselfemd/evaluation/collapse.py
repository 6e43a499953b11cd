"""Have the outputs of an encoder collapsed?"""

from functools import lru_cache
from math import nan
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


@torch.no_grad()
def spread(outputs: Tensor) -> float:
    """Standard deviation of the normalised outputs, per channel.

    Scaled by the square root of their number of channels C, as 1 / sqrt(C)
    is what outputs that point everywhere alike would give (SimSiam, arXiv
    2011.10566, Sec. 4.1).

    Args:
        outputs (Tensor): (n, C).

    Returns:
        float: 0 where all outputs point the same way, 1 where they are
        isotropic; NaN of one output alone, which cannot tell.
    """
    if len(outputs) < 2:
        return nan
    normalised = F.normalize(outputs.float(), dim=1)
    return _scaled_deviation(normalised - normalised.mean(0))


class NodeSpread(NamedTuple):
    """What the nodes of several images differ by.

    Each is a :func:`spread`, but for what its deviations are taken from. In
    each channel the variances of ``within`` and of the images' mean nodes
    add up to that of ``whole``; so do those of ``across`` and of the
    positions' mean nodes.

    =====================  ======  ======
    nodes depend on        within  across
    =====================  ======  ======
    nothing                0       0
    the position alone     whole   0
    the image alone        0       whole
    both                   > 0     > 0
    =====================  ======  ======

    Attributes:
        whole (float): Deviations from the mean of all nodes.
        within (float): Deviations from the mean node of their image.
        across (float): Deviations from the mean node of their position over
            the images; NaN of one image alone, which cannot tell.
    """

    whole: float
    within: float
    across: float


@torch.no_grad()
def node_spread(nodes: Tensor) -> NodeSpread:
    """Spread of nodes: in all, within an image, and across images.

    Args:
        nodes (Tensor): Nodes of B images, (B, N, C).

    Returns:
        NodeSpread: The three.
    """
    normalised = F.normalize(nodes.float(), dim=2)
    whole, within, across = (
        _scaled_deviation(
            (normalised - normalised.mean(over, keepdim=True)).flatten(0, 1)
        )
        for over in ((0, 1), 1, 0)
    )
    return NodeSpread(whole, within, across if len(nodes) > 1 else nan)


def _scaled_deviation(deviations: Tensor) -> float:
    """Root mean square of each channel, as a share of 1 / sqrt(C)."""
    channels = deviations.shape[1]
    return float(deviations.square().mean(0).sqrt().mean() * channels**0.5)


@torch.no_grad()
def effective_rank(outputs: Tensor) -> float:
    """Number of directions that the normalised outputs make use of.

    The exponential of the entropy of the singular values, scaled to sum to
    one (Roy and Vetterli 2007), of the centred outputs.

    Args:
        outputs (Tensor): (n, C).

    Returns:
        float: From 1 to the lesser of n - 1 and C; 0 where all outputs point
        the same way.
    """
    normalised = F.normalize(outputs.float(), dim=1)
    centred = normalised - normalised.mean(0)
    # The eigenvalues of the smaller of the two products, on the host, where
    # small matrices are faster.
    product = centred.mT @ centred
    if len(centred) < len(product):
        product = centred @ centred.mT
    values = torch.linalg.eigvalsh(product.double().cpu())
    # Rounding leaves traces of about 1e-7 where there is nothing.
    values = values.where(values > values[-1] * 1e-6, 0).clamp_min(0).sqrt()
    if values.sum() < 1e-3:
        return 0.0
    shares = values / values.sum()
    return float(torch.special.entr(shares).sum().exp())


@lru_cache(maxsize=16)
def isotropic_rank(count: int, channels: int) -> float:
    """Effective rank of isotropic outputs, of which there are only so many.

    Args:
        count (int): Number of outputs n.
        channels (int): Channels C.

    Returns:
        float: That of one draw from a fixed seed.
    """
    generator = torch.Generator().manual_seed(0)
    return effective_rank(torch.randn(count, channels, generator=generator))


def relative_rank(outputs: Tensor) -> float:
    """Effective rank as a share of that of isotropic outputs.

    Args:
        outputs (Tensor): (n, C).

    Returns:
        float: From 0, collapsed, to about 1, isotropic; NaN of one output
        alone, which cannot tell.
    """
    if len(outputs) < 2:
        return nan
    return effective_rank(outputs) / isotropic_rank(*outputs.shape)
