"""Cut several views from one decoded image."""

from collections.abc import Sequence

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from torchvision.transforms import RandomResizedCrop

from mmselfemd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CutViews(BaseTransform):
    """Random crops of one image, each resized, flipped and augmented.

    mmpretrain's ``MultiView`` does not say where a view lies in its image;
    this does, since matching accuracy and the pictures of matches need it.

    Required key: ``img``. Changed key: ``img``, now a list of views. Added
    key: ``views``, for each view a dict of

    - ``box``: left, top, width and height of the crop in the image, pixels;
    - ``flip``: whether it was mirrored after the crop;
    - ``size``: side of the view, pixels.

    Args:
        views (Sequence[dict]): For each view ``size`` (int), its side in
            pixels, and ``photometric`` (list[dict]), transforms that change
            colours and no geometry.
        scale (tuple[float, float]): Range of the crop's share of the image's
            area. Defaults to (0.08, 1.0).
        ratio (tuple[float, float]): Range of width over height of the crop.
            Defaults to (3/4, 4/3).
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.5.
    """

    def __init__(
        self,
        views: Sequence[dict],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
    ) -> None:
        self.sizes = [view['size'] for view in views]
        self.photometric = [Compose(view['photometric']) for view in views]
        self.scale = scale
        self.ratio = ratio
        self.flip_prob = flip_prob

    def transform(self, results: dict) -> dict:
        """Cut the views.

        Args:
            results (dict): With ``img``, (H, W, 3).

        Returns:
            dict: With a list of views and their geometry.
        """
        image = results['img']
        results['views'] = [
            dict(
                box=self._random_box(*image.shape[:2]),
                flip=bool(np.random.rand() < self.flip_prob),
                size=size,
            )
            for size in self.sizes
        ]
        results['img'] = [
            photometric(dict(img=cut_view(image, **view)))['img']
            for view, photometric in zip(
                results['views'], self.photometric, strict=True
            )
        ]
        return results

    def _random_box(
        self, height: int, width: int
    ) -> tuple[int, int, int, int]:
        # torchvision reads nothing but the size of the image.
        stand_in = torch.empty(1).expand(3, height, width)
        top, left, box_height, box_width = RandomResizedCrop.get_params(
            stand_in, list(self.scale), list(self.ratio)
        )
        return left, top, box_width, box_height


def cut_view(
    image: np.ndarray, box: tuple[int, int, int, int], flip: bool, size: int
) -> np.ndarray:
    """Crop, resize and mirror an image.

    Args:
        image (np.ndarray): Image, (H, W, 3), uint8.
        box (tuple[int, int, int, int]): Left, top, width and height.
        flip (bool): Whether to mirror left and right after the crop.
        size (int): Side of the view.

    Returns:
        np.ndarray: View, (size, size, 3), uint8.
    """
    left, top, width, height = box
    crop = np.ascontiguousarray(image[top : top + height, left : left + width])
    # Pillow's bicubic filter widens as it shrinks, as in BYOL's pipeline;
    # OpenCV's does not, and would alias.
    view = mmcv.imresize(
        crop, (size, size), interpolation='bicubic', backend='pillow'
    )
    return mmcv.imflip(view) if flip else view
