"""Changes of colour for a batch of images, each by its own parameters.

Each function is torchvision's functional form of the same name, for a batch
with one parameter an image and for values in [0, 255]. Nothing is rounded in
between, as torchvision does not for float images. Plain torch: torchvision
and kornia were measured against it, see docs/input.md.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

MAX_VALUE = 255


def luminance(images: Tensor) -> Tensor:
    """Brightness of each pixel, by the weights of ITU-R BT.601.

    Args:
        images (Tensor): RGB, (B, 3, H, W).

    Returns:
        Tensor: (B, 1, H, W).
    """
    red, green, blue = images.split(1, dim=1)
    # Multiply and add in place: one temporary map.
    return (0.2989 * red).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def blend_with_grey(
    images: Tensor, factors: Tensor, pixel_shares: Tensor, mean_shares: Tensor
) -> Tensor:
    """Move images away from grey (factor above 1) or towards it.

    With L the luminance, the grey is ``pixel_share * L + mean_share *
    mean(L)``: black for brightness (0, 0), each pixel's own for saturation
    and for a grey image (1, 0), the image's mean for contrast (0, 1). So one
    call serves a batch whose images are in different steps of their jitter.

    Args:
        images (Tensor): RGB, (B, 3, H, W), in [0, 255]; overwritten.
        factors (Tensor): (B,), not negative; 1 changes nothing.
        pixel_shares (Tensor): (B,).
        mean_shares (Tensor): (B,).

    Returns:
        Tensor: ``images``, clamped to [0, 255].
    """
    factors, pixel_shares, mean_shares = (
        values[:, None, None, None]
        for values in (factors, pixel_shares, mean_shares)
    )
    pixels = luminance(images)
    mean = pixels.mean((2, 3), keepdim=True)
    grey = pixels.mul_(pixel_shares).add_(mean_shares * mean)
    grey.mul_(1 - factors)
    return images.mul_(factors).add_(grey).clamp_(0, MAX_VALUE)


def adjust_hue(images: Tensor, shifts: Tensor) -> Tensor:
    """Turn the hue, with value and chroma (in HSV) as they are.

    Args:
        images (Tensor): RGB, (B, 3, H, W).
        shifts (Tensor): (B,), in turns, in [-0.5, 0.5].

    Returns:
        Tensor: Changed images, (B, 3, H, W).
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    # A grey pixel has no hue; any will do, since its chroma is 0.
    scale = torch.where(chroma == 0, 1, chroma).reciprocal_()
    # In sixths of a turn, counted from red.
    hue = torch.where(
        value == red,
        (green - blue).mul_(scale),
        torch.where(
            value == green,
            (blue - red).mul_(scale).add_(2),
            (red - green).mul_(scale).add_(4),
        ),
    )
    hue += 6 * shifts[:, None, None]
    # Channel n is V - C * ramp((n + hue) mod 6) with n = 5, 3, 1: a ramp up
    # from 0 to 1, a plateau until 3, down until 4.
    starts = torch.arange(5, 0, -2, device=images.device)[:, None, None]
    position = (hue[:, None] + starts).remainder_(6)
    ramp = position.sub_(2).abs_().neg_().add_(2).clamp_(0, 1)
    return torch.addcmul(value[:, None], chroma[:, None], ramp, value=-1)


def gaussian_blur(images: Tensor, sigmas: Tensor, radius: int) -> Tensor:
    """Blur with a Gaussian cut off at ``radius``, borders reflected.

    Args:
        images (Tensor): (B, 3, H, W).
        sigmas (Tensor): (B,), positive, in pixels.
        radius (int): Half the width of the kernel, without its centre; less
            than H and W.

    Returns:
        Tensor: Blurred images, (B, 3, H, W).
    """
    distances = torch.arange(-radius, radius + 1, device=images.device)
    kernels = (-0.5 * (distances / sigmas[:, None]).square()).softmax(1)
    # Each channel of each image is a group of its own, with its own kernel.
    kernels = kernels.repeat_interleave(images.shape[1], 0)[:, None]
    channels = images.flatten(0, 1)[None]
    channels = F.pad(channels, [radius] * 4, mode='reflect')
    for kernel in (kernels[:, :, :, None], kernels[:, :, None]):
        channels = F.conv2d(channels, kernel, groups=len(kernels))
    return channels.view_as(images)


def solarise(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert what is at least as bright as a threshold.

    Args:
        images (Tensor): (B, 3, H, W), in [0, 255].
        thresholds (Tensor): (B,).

    Returns:
        Tensor: Changed images, (B, 3, H, W).
    """
    bright = images >= thresholds[:, None, None, None]
    return torch.where(bright, MAX_VALUE - images, images)
