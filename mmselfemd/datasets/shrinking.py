"""Large photographs, made small once instead of in every epoch."""

from io import BytesIO

import cv2
import numpy as np
from PIL import Image

from .transforms.encoded_image import REDUCTIONS, decode_image, jpeg_size

JPEG_QUALITY = 95

#: Of a file of this quality; 0.25 to 0.5 were measured.
BYTES_PER_PIXEL = 0.5


def shrink(content: bytes, max_size: int) -> bytes:
    """An image file whose shorter side is at most so many pixels.

    Args:
        content (bytes): An image file.
        max_size (int): Pixels.

    Returns:
        bytes: The same if it is small enough, else a JPEG.

    Raises:
        BrokenImageError: If it does not decode.
    """
    size, reduction, image = jpeg_size(content), 1, None
    if size is None:
        image = decode_image(content)
        size = image.shape[:2]
    if min(size) <= max_size:
        return content
    if image is None:
        reduction = next(r for r in REDUCTIONS if min(size) >= r * max_size)
        image = decode_image(content, reduction)
    height, width = (round(side * max_size / min(size)) for side in size)
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return _encode(image)


def reduce_image(content: bytes, min_size: int) -> tuple[bytes, int]:
    """Make a large image small, by a whole number each way.

    Args:
        content (bytes): An image file.
        min_size (int): Pixels that the shorter side keeps.

    Returns:
        tuple[bytes, int]: The file and 1 if it is small; else a JPEG, and by
        how much it is reduced: 2, 4 or 8. A last row or column of the image
        that would be a part of a pixel is left out.

    Raises:
        BrokenImageError: If it is large and does not decode.
    """
    size = jpeg_size(content)
    is_jpeg = size is not None
    reduction = reduction_for(size if is_jpeg else _size(content), min_size)
    if reduction == 1:
        return content, 1
    image = decode_image(content, reduction if is_jpeg else 1)
    if is_jpeg:
        height, width = (side // reduction for side in size)
        image = image[:height, :width]
    else:
        image = _average(image, reduction)
    return _encode(image), reduction


def reduction_for(size: tuple[int, int], min_size: int) -> int:
    """How far an image may shrink.

    Args:
        size (tuple[int, int]): Height and width.
        min_size (int): Pixels that the shorter side keeps.

    Returns:
        int: 1, 2, 4 or 8.
    """
    return next((r for r in REDUCTIONS if min(size) >= r * min_size), 1)


def shrunk_pixels(content: bytes, min_size: int) -> int:
    """How large an image would be once :func:`reduce_image` has shrunk it.

    Args:
        content (bytes): An image file.
        min_size (int): Pixels that the shorter side keeps.

    Returns:
        int: Pixels; 0 if it would be left alone.

    Raises:
        BrokenImageError: See :func:`jpeg_size`.
    """
    height, width = jpeg_size(content) or _size(content)
    reduction = reduction_for((height, width), min_size)
    return height * width // reduction**2 if reduction > 1 else 0


def _size(content: bytes) -> tuple[int, int]:
    """Sides of an image that is no JPEG, from its header; 0 if unknown."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except (OSError, SyntaxError, ValueError):
        return 0, 0  # OpenCV may know better
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _average(image: np.ndarray, reduction: int) -> np.ndarray:
    height, width = (side // reduction for side in image.shape[:2])
    whole = image[: height * reduction, : width * reduction]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def _encode(image: np.ndarray) -> bytes:
    _, encoded = cv2.imencode(
        '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return encoded.tobytes()
