"""Cut several views from one decoded image."""

from collections.abc import Sequence
from math import ceil, sqrt

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform, Compose
from torch.nn import functional as F
from torchvision.transforms import RandomResizedCrop

from mmselfemd.errors import UserValueError
from mmselfemd.registry import TRANSFORMS

from .encoded_image import REDUCTIONS, EncodedImage

Box = tuple[int, int, int, int]

# A crop of an image decoded at less than its size has at least so many pixels
# for one of its view, each way: docs/input.md has what differs.
_MIN_PIXELS = 2


@TRANSFORMS.register_module()
class CutViews(BaseTransform):
    """Random crops of one image, each resized, flipped and augmented.

    mmpretrain's ``MultiView`` does not say where a view lies in its image;
    this does, since matching accuracy and the pictures of matches need it.

    An image of ``LoadImage(lazy=True)`` is decoded here, at a half, a quarter
    or an eighth of its size if all crops have plenty of pixels then; its boxes
    are on that grid.

    Required key: ``img``. Changed key: ``img``, now a list of views. Added
    key: ``views``, for each view a dict of

    - ``box``: left, top, width and height of the crop in the image, pixels;
    - ``flip``: whether it was mirrored after the crop;
    - ``size``: side of the view, pixels;
    - ``photometric``: what :class:`DrawPhotometric` drew, if it is among the
      transforms of the view.

    Args:
        views (Sequence[dict]): For each view ``size`` (int), its side in
            pixels, and ``photometric`` (list[dict]), transforms that change
            colours and no geometry.
        scale (tuple[float, float]): Range of the crop's share of the image's
            area. Defaults to (0.08, 1.0).
        ratio (tuple[float, float]): Range of width over height of the crop.
            Defaults to (3/4, 4/3).
        flip_prob (float): Probability of a horizontal flip. Defaults to 0.5.
        backend (str): Whose bicubic filter makes the views, see
            :func:`cut_view`. Defaults to 'pillow'.

    Raises:
        UserValueError: If ``backend`` is not known.
    """

    def __init__(
        self,
        views: Sequence[dict],
        scale: tuple[float, float] = (0.08, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        backend: str = 'pillow',
    ) -> None:
        if backend not in ('pillow', 'torch'):
            raise UserValueError(
                "CutViews: backend must be 'pillow' or 'torch', but got "
                f'{backend!r}'
            )
        self.sizes = [view['size'] for view in views]
        self.photometric = [Compose(view['photometric']) for view in views]
        self.scale = scale
        self.ratio = ratio
        self.flip_prob = flip_prob
        self.backend = backend

    @property
    def least_side(self) -> int:
        """Pixels of a square image whose smallest crop is not enlarged.

        Those at which a crop of the least area and the most extreme shape
        still has, each way, the pixels of the largest view.
        """
        narrowest = min(self.ratio[0], 1 / self.ratio[1])
        return ceil(max(self.sizes) / sqrt(self.scale[0] * narrowest))

    def transform(self, results: dict) -> dict | None:
        """Cut the views.

        Args:
            results (dict): With ``img``, (H, W, 3).

        Returns:
            dict | None: With a list of views and their geometry; None if the
            image turns out to be broken.
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
        reduction = 1
        if isinstance(image, EncodedImage):
            reduction = max(
                image.reduction, _largest_reduction(results['views'])
            )
            image = image.decode(reduction)
            if image is None:
                return None
        results['img'] = [
            self._view(image, view, reduction, photometric)
            for view, photometric in zip(
                results['views'], self.photometric, strict=True
            )
        ]
        return results

    def _view(
        self,
        image: np.ndarray,
        view: dict,
        reduction: int,
        photometric: Compose,
    ) -> np.ndarray:
        """Cut a view, and enter in it what was done beside its pixels."""
        box = view['box']
        if reduction > 1:
            box = _on_grid(box, reduction)
            view['box'] = tuple(reduction * side for side in box)
        pixels = cut_view(image, box, view['flip'], view['size'], self.backend)
        changed = photometric(dict(img=pixels))
        if 'photometric' in changed:
            view['photometric'] = changed['photometric']
        return changed['img']

    def _random_box(self, height: int, width: int) -> Box:
        # torchvision reads nothing but the size of the image.
        stand_in = torch.empty(1).expand(3, height, width)
        top, left, box_height, box_width = RandomResizedCrop.get_params(
            stand_in, list(self.scale), list(self.ratio)
        )
        return left, top, box_width, box_height


def _largest_reduction(views: Sequence[dict]) -> int:
    """How far an image may shrink before its crops are short of pixels."""
    spare = min(
        min(view['box'][2:]) / (_MIN_PIXELS * view['size']) for view in views
    )
    return next((each for each in REDUCTIONS if each <= spare), 1)


def _on_grid(box: Box, reduction: int) -> Box:
    """The largest part of a box in whole pixels of a reduced image."""
    left, top, width, height = box
    right, bottom = (left + width) // reduction, (top + height) // reduction
    left, top = -(-left // reduction), -(-top // reduction)
    return left, top, right - left, bottom - top


def cut_view(
    image: np.ndarray,
    box: Box,
    flip: bool,
    size: int,
    backend: str = 'pillow',
) -> np.ndarray:
    """Crop, resize and mirror an image.

    Args:
        image (np.ndarray): Image, (H, W, 3), uint8.
        box (tuple[int, int, int, int]): Left, top, width and height.
        flip (bool): Whether to mirror left and right after the crop.
        size (int): Side of the view.
        backend (str): ``pillow``, as in BYOL's pipeline, or ``torch``, the
            same filter several times faster, apart by rounding. Both widen
            the filter as they shrink the image; OpenCV's bicubic filter does
            not, and would alias. Defaults to 'pillow'.

    Returns:
        np.ndarray: View, (size, size, 3), uint8.
    """
    left, top, width, height = box
    crop = np.ascontiguousarray(image[top : top + height, left : left + width])
    by_torch = backend == 'torch'
    view = (_resize_by_torch if by_torch else _resize_by_pillow)(crop, size)
    view = cv2.flip(view, 1) if flip else view
    return _in_planes(view) if by_torch else view


def _resize_by_pillow(crop: np.ndarray, size: int) -> np.ndarray:
    return mmcv.imresize(
        crop, (size, size), interpolation='bicubic', backend='pillow'
    )


def _resize_by_torch(crop: np.ndarray, size: int) -> np.ndarray:
    # The batch first: torch takes it for channels_last then, and is fast.
    batch = torch.from_numpy(crop)[None].permute(0, 3, 1, 2)
    view = F.interpolate(batch, (size, size), mode='bicubic', antialias=True)
    return view[0].permute(1, 2, 0).numpy()


def _in_planes(view: np.ndarray) -> np.ndarray:
    """The same view, laid out as (3, H, W) in memory.

    Packing turns it round into a tensor then without another copy; its own
    would take eight times as long as OpenCV's.
    """
    planes = np.empty((3, *view.shape[:2]), view.dtype)
    cv2.split(view, list(planes))
    return planes.transpose(1, 2, 0)
