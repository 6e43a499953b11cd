"""How much each of four labels counts at a position of a map."""

from collections.abc import Sequence

import torch
from torch import Tensor


def region_masks(
    regions: Sequence[Sequence[int]], size: tuple[int, int]
) -> Tensor:
    """Pixels of each region.

    Args:
        regions (Sequence[Sequence[int]]): Left, top, width and height.
        size (tuple[int, int]): Height and width of the image.

    Returns:
        Tensor: M, 1 within a region and 0 elsewhere, (R, H, W).

    Raises:
        ValueError: If the regions do not tile the image.
    """
    masks = torch.zeros(len(regions), *size)
    for mask, (left, top, width, height) in zip(masks, regions, strict=True):
        mask[top : top + height, left : left + width] = 1
    if not (masks.sum(0) == 1).all():
        raise ValueError(
            f'the regions {list(regions)} (left, top, width, height) do not '
            f'tile an image of {size[0]} x {size[1]} pixels: every pixel '
            'belongs to one region'
        )
    return masks


def region_of_positions(masks: Tensor, map_size: tuple[int, int]) -> Tensor:
    """The region in which each position of a map lies.

    Position (j, k) of a map of h x w stands for the cell of the image from
    row j H / h to (j + 1) H / h, and likewise across; its region is that of
    the middle of the cell. Ours: the paper does not say what it does where a
    cell is cut by a border.

    Args:
        masks (Tensor): See :func:`region_masks`, (R, H, W).
        map_size (tuple[int, int]): h and w.

    Returns:
        Tensor: r, the number of a region, (h, w).

    Raises:
        ValueError: If a region has no position.
    """
    rows, columns = (
        ((torch.arange(length) + 0.5) * side / length).long()
        for length, side in zip(map_size, masks.shape[1:], strict=True)
    )
    region = masks[:, rows[:, None], columns].argmax(0)
    counts = torch.bincount(region.flatten(), minlength=len(masks))
    if not counts.all():
        raise ValueError(
            f'region {int(counts.argmin())} has no position of a map of '
            f'{map_size[0]} x {map_size[1]}: a larger corner of the montage, '
            'a larger montage, or a backbone of smaller stride'
        )
    return region


def label_weights(
    field: Tensor, masks: Tensor, region: Tensor, threshold: float
) -> Tensor:
    r"""Weights of the labels, "Cheaper Pre-training Lunch", Eq. 2.

    At a position (j, k) in region r, with G its effective receptive field and
    :math:`M^i` the mask of region i,

    .. math::
        w_i = \begin{cases}
            \max\left(\tau, \frac{\sum G M^i}{\sum G}\right) & i = r \\
            (1 - w_r) \frac{\sum G M^i}{\sum G (1 - M^r)} & i \ne r
        \end{cases}

    They sum to 1. Where the field is wholly in region r, :math:`w_r` is 1 and
    the others, 0/0 as printed, are 0.

    Args:
        field (Tensor): G, not negative, (h, w, H, W).
        masks (Tensor): M, (R, H, W), one at each pixel in one of them.
        region (Tensor): r, (h, w).
        threshold (float): tau, in [0, 1]. With 1 each position has the label
            of its region, "block-wise classification".

    Returns:
        Tensor: w, (R, h, w).
    """
    inside = torch.einsum('jkhw,rhw->rjk', field, masks)
    own = torch.zeros_like(inside).scatter_(0, region[None], 1).bool()
    shares = inside / inside.sum(0)
    dominant = shares.gather(0, region[None])[0].clamp(min=threshold)
    # The others' part of the field, which is that outside of region r.
    others = inside.masked_fill(own, 0)
    outside = others.sum(0)
    rest = (1 - dominant) * others / outside.where(outside > 0, 1)
    dominant = dominant.where(outside > 0, 1)
    return torch.where(own, dominant, rest)
