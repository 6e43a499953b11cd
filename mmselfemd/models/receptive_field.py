"""What of an image the positions of a map depend on."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from .norm_statistics import constant_statistics


def effective_receptive_field(network: nn.Module, images: Tensor) -> Tensor:
    r"""Effective receptive field of each position of a network's last map.

    After Luo et al., "Understanding the Effective Receptive Field in Deep
    Convolutional Neural Networks" (NeurIPS 2016): one is put at a position,
    into each channel, and the gradient by the pixels is taken,

    .. math::
        G^{j,k}_{h,w} = \frac{1}{B} \sum_b \sum_c \left|
            \frac{\partial \sum_d X_{b,d,j,k}}{\partial I_{b,c,h,w}} \right|

    The absolute value, the sum over colours and the mean over images are
    ours: without the first, images and colours would cancel each other.
    Norms take the statistics of these images, as constants, so that one image
    does not act on another, and an untrained network can be measured like a
    trained one. It costs a backward pass a position.

    Args:
        network (nn.Module): Gives a tuple of maps, the last (B, C, h, w).
            It is left as it was.
        images (Tensor): Normalised images, (B, 3, H, W).

    Returns:
        Tensor: G, not negative, (h, w, H, W).
    """
    with (
        _without_checkpoints(network),
        constant_statistics(network, images),
        torch.enable_grad(),
    ):
        images = images.detach().requires_grad_()
        signal = network(images)[-1].sum((0, 1))
        gradients = [
            torch.autograd.grad(each, images, retain_graph=True)[0]
            for each in signal.flatten()
        ]
    field = torch.stack([g.abs().sum(1).mean(0) for g in gradients])
    return field.unflatten(0, signal.shape)


@contextmanager
def _without_checkpoints(network: nn.Module) -> Iterator[None]:
    """Torch takes gradients through them by ``backward`` alone."""
    parts = [p for p in network.modules() if getattr(p, 'with_cp', False)]
    for part in parts:
        part.with_cp = False
    try:
        yield
    finally:
        for part in parts:
            part.with_cp = True
