"""A JPEG whose size is read from its header, decoded when it is needed."""

import struct
from collections.abc import Callable
from io import BytesIO

import cv2
import mmcv
import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from .claimed_size import header_fault
from .exif_orientation import exif_orientation, is_read_alike, is_transposed

REDUCTIONS = (8, 4, 2, 1)
_FLAGS = {
    1: 'color',
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}

# Even a blank JPEG spends more than a byte on so many pixels: 6 blocks of 64
# coefficients for 16 x 16 pixels, each block at least 2 bits.
_MAX_PIXELS_PER_BYTE = 1000


class BrokenImageError(ValueError):
    """A file that cannot be decoded; the message says why."""


class UndecodedImageError(BrokenImageError):
    """A file that OpenCV does not decode; another library may."""


class UnfitBandsError(BrokenImageError):
    """A picture that lacks bands that are asked for, or has unknown ones."""


class EncodedImage:
    """A JPEG that has not been decoded.

    A JPEG can be decoded at a half, a quarter or an eighth of its size for
    less than the whole costs. Which one will do is known when the crops are.

    Args:
        content (bytes): The file.
        size (tuple[int, int]): Height and width of the upright image.
        report (Callable[[str], None]): Called with the reason if the image
            turns out to be broken.
        reduction (int): By how much the file is smaller than the image, each
            way: 1, 2, 4 or 8. Defaults to 1.

    Attributes:
        shape (tuple[int, int, int]): As that of the image at full size.
        reduction (int): The least at which it can be decoded.
    """

    def __init__(
        self,
        content: bytes,
        size: tuple[int, int],
        report: Callable[[str], None],
        reduction: int = 1,
    ) -> None:
        self.content = content
        self.shape = (*size, 3)
        self.report = report
        self.reduction = reduction

    def decode(self, reduction: int = 1) -> np.ndarray | None:
        """Decode at full size or less.

        Args:
            reduction (int): 1, 2, 4 or 8, but not less than that of the file:
                a pixel of the result stands for so many of the image, each
                way. Defaults to 1.

        Returns:
            np.ndarray | None: BGR, uint8, upright, sides of the image
            divided by ``reduction`` and rounded up; None if it is broken.
        """
        expected = tuple(-(-side // reduction) for side in self.shape[:2])
        try:
            image = decode_image(self.content, reduction // self.reduction)
            if image.shape[:2] != expected:
                raise BrokenImageError(
                    f'its header promises {expected} pixels at 1/{reduction} '
                    f'of its size, but it has {image.shape[:2]}'
                )
        except BrokenImageError as error:
            self.report(str(error))
            return None
        return image


def decode_image(content: bytes, reduction: int = 1) -> np.ndarray:
    """Decode an image file of any kind that OpenCV knows.

    The first frame of an animation; CMYK and grey as BGR, 16 bits as 8, an
    alpha channel dropped, turned upright by its EXIF orientation.

    Args:
        content (bytes): The file.
        reduction (int): See :meth:`EncodedImage.decode`. Defaults to 1.

    Returns:
        np.ndarray: BGR, uint8, (H, W, 3).

    Raises:
        UndecodedImageError: If OpenCV does not decode it.
        BrokenImageError: If it is empty, or its header is damaged.
    """
    if not content:
        raise BrokenImageError('it is empty')
    check_header(content)
    try:
        image = mmcv.imfrombytes(content, _FLAGS[reduction], backend='cv2')
    except cv2.error as error:  # e.g. too many pixels
        raise BrokenImageError(str(error).strip()) from error
    if image is None or image.dtype != np.uint8 or image.ndim != 3:
        raise UndecodedImageError('it does not decode')  # or floats: a PFM
    return image


def check_header(content: bytes) -> None:
    """Raise if a damaged header claims more pixels than the file can hold.

    Args:
        content (bytes): The file.

    Raises:
        BrokenImageError: With what is wrong, see :func:`header_fault`.
    """
    if fault := header_fault(content):
        raise BrokenImageError(fault)


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Height and width of a JPEG when it stands upright, from its header.

    Args:
        content (bytes): The file.

    Returns:
        tuple[int, int] | None: None if it is no JPEG that Pillow knows; if
        not all readers turn it in the same way; or if it is CMYK, which
        OpenCV takes for inverted whether or not it is.

    Raises:
        BrokenImageError: If the file is far too short for that size; to
            find out by decoding would take minutes and gigabytes.
    """
    if bytes(content[:2]) != b'\xff\xd8':
        return None
    try:
        # Not Image.open, which has a limit of its own on the size.
        with JpegImageFile(BytesIO(content)) as image:
            width, height = image.size
            orientation = exif_orientation(image)
            is_unsure = image.mode == 'CMYK' or not is_read_alike(image)
    except (SyntaxError, OSError, ValueError, struct.error):
        return None  # OpenCV may know better
    if width * height > _MAX_PIXELS_PER_BYTE * len(content):
        raise BrokenImageError(
            f'its header claims {width} x {height} pixels, which '
            f'{len(content)} bytes cannot hold'
        )
    if is_unsure:
        return None
    if is_transposed(orientation):
        width, height = height, width
    return height, width
