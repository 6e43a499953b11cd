"""From four images to a montage of four samples."""

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform

from mmselfemd.errors import UserValueError
from mmselfemd.registry import TRANSFORMS

Box = tuple[int, int, int, int]


def montage_regions(size: int, corner: int) -> list[Box]:
    """Regions of a montage, "Cheaper Pre-training Lunch", Sec. 3.2 and Fig. 4.

    The smaller square sample lies at the upper left and the larger one at the
    lower right. What is left is wide at the upper right and tall at the lower
    left, so that these samples go there; the descriptions do not say it
    clearly.

    Args:
        size (int): Side of the montage, pixels.
        corner (int): Side of the upper left region, pixels.

    Returns:
        list[tuple[int, int, int, int]]: Left, top, width and height of the
        upper left, upper right, lower left and lower right region.

    Raises:
        UserValueError: If the upper left region would not be the smallest.
    """
    rest = size - corner
    if not 0 < corner <= rest:
        raise UserValueError(
            f'corner={corner}: the upper left region of a montage of {size} '
            f'pixels has a side of 1 to {size // 2}'
        )
    return [
        (0, 0, corner, corner),
        (corner, 0, rest, corner),
        (0, corner, corner, rest),
        (corner, corner, rest, rest),
    ]


@TRANSFORMS.register_module()
class CropSample(BaseTransform):
    """Cut a sample out of its image.

    Required keys: ``img``, ``box`` (left, top, width, height). Changed keys:
    ``img``, ``img_shape``.
    """

    def transform(self, results: dict) -> dict:
        """Cut it out.

        Args:
            results (dict): With the image, (H, W, 3).

        Returns:
            dict: With the sample, (height, width, 3).

        Raises:
            UserValueError: If the image is smaller than its file said.
        """
        left, top, width, height = results['box']
        crop = results['img'][top : top + height, left : left + width]
        if crop.shape[:2] != (height, width):
            found = results['img'].shape
            raise UserValueError(
                f'{results["img_path"]} is {found[1]} x {found[0]} pixels, '
                f'and a box (left, top, width, height) {results["box"]} is '
                'to be cut from it: the annotation file is of other images. '
                'tools/check_annotations.py FILE --images DIR looks at all'
            )
        results['img'] = crop
        results['img_shape'] = crop.shape[:2]
        return results


@TRANSFORMS.register_module()
class RandomScale(BaseTransform):
    """Resize an image by a random factor, at the same aspect ratio.

    Required key: ``img``. Changed keys: ``img``, ``img_shape``. Added key:
    ``scale``, the factor.

    Args:
        scale_range (tuple[float, float]): Least and largest factor, drawn
            uniformly. Defaults to (0.8, 1.5), those of "Cheaper Pre-training
            Lunch", Sec. 4.1.

    Raises:
        UserValueError: If it is no range of positive numbers.
    """

    def __init__(self, scale_range: tuple[float, float] = (0.8, 1.5)) -> None:
        if len(scale_range) != 2 or not 0 < scale_range[0] <= scale_range[1]:
            raise UserValueError(
                'RandomScale: scale_range must be (least, largest), both '
                f'positive, but got {scale_range!r}'
            )
        self.scale_range = scale_range

    def transform(self, results: dict) -> dict:
        """Resize it.

        Args:
            results (dict): With the image, (H, W, 3).

        Returns:
            dict: With the resized one.
        """
        scale = np.random.uniform(*self.scale_range)
        height, width = (
            max(1, round(scale * side)) for side in results['img'].shape[:2]
        )
        results['img'] = mmcv.imresize(results['img'], (width, height))
        results['img_shape'] = (height, width)
        results['scale'] = scale
        return results


@TRANSFORMS.register_module()
class StitchMontage(BaseTransform):
    """Put four samples into the regions of one image.

    "Pad & crop": a sample is neither resized nor warped to its region. In
    each direction it is cropped at random where it is longer than the region,
    and the region stays black around it where it is shorter. (The paper: both
    warping and resizing give worse detectors, Table 1.) Ours: the place of a
    shorter sample is random, too.

    Required key: ``samples``, a list of four dicts with ``img`` and
    ``gt_label``. Added keys:

    - ``img``: the montage, (size, size, 3), uint8;
    - ``gt_label``: the four labels, in the order of the regions;
    - ``regions``: left, top, width and height of each, see
      :func:`montage_regions`.

    Args:
        size (int): Side of the montage, pixels. Defaults to 224.
        corner (int): Side of the upper left region, pixels. Ours, as the
            template's figures could not be established: two cells of a map of
            stride 32, so that a cell lies in one region, and the wide and
            tall regions, 2.5 to 1, are shaped as such samples are.
            Defaults to 64.

    Raises:
        UserValueError: If the upper left region would not be the smallest.
    """

    def __init__(self, size: int = 224, corner: int = 64) -> None:
        self.size = size
        self.regions = montage_regions(size, corner)

    def transform(self, results: dict) -> dict:
        """Stitch a montage.

        Args:
            results (dict): With the samples.

        Returns:
            dict: With the montage.
        """
        samples = results['samples']
        canvas = np.zeros((self.size, self.size, 3), np.uint8)
        for sample, region in zip(samples, self.regions, strict=True):
            _paste(canvas, sample['img'], region)
        results['img'] = canvas
        results['gt_label'] = [sample['gt_label'] for sample in samples]
        results['regions'] = self.regions
        return results


def _paste(canvas: np.ndarray, image: np.ndarray, region: Box) -> None:
    """Crop an image to a region, or leave the region black around it."""
    left, top, width, height = region
    rows, rows_there = _shared(image.shape[0], height)
    columns, columns_there = _shared(image.shape[1], width)
    place = canvas[top : top + height, left : left + width]
    place[rows_there, columns_there] = image[rows, columns]


def _shared(length: int, side: int) -> tuple[slice, slice]:
    """What of a sample, in one direction, comes where in its region."""
    first = np.random.randint(abs(length - side) + 1)
    if length > side:
        return slice(first, first + side), slice(side)
    return slice(length), slice(first, first + length)
