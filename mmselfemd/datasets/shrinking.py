"""Large photographs, made small once instead of in every epoch."""

from io import BytesIO

import cv2
from PIL import Image

from .transforms.encoded_image import (
    REDUCTIONS,
    check_header,
    decode_image,
    jpeg_size,
)

JPEG_QUALITY = 95


def shrink(
    content: bytes, side: int, exactly: bool = False
) -> tuple[bytes, float]:
    """Make a large image small.

    Args:
        content (bytes): An image file.
        side (int): Pixels that the shorter side keeps.
        exactly (bool): Whether it keeps just so many. Defaults to False: the
            image is reduced by a whole number, and the shorter side keeps
            less than twice as many, unless it had more than 16 times. A last
            row or column that would be a part of a pixel is left out.

    Returns:
        tuple[bytes, float]: The file and 1 if it is small, or its header
        unknown; else a JPEG, upright, and by how much it is reduced each
        way: 2, 4 or 8 unless ``exactly``.

    Raises:
        BrokenImageError: If it is large and does not decode, or its header
            is damaged.
    """
    size = jpeg_size(content)
    is_jpeg = size is not None
    shorter = min(size or _size(content))
    reduction = next((r for r in REDUCTIONS if shorter >= r * side), 1)
    factor = shorter / side if exactly else reduction
    if factor <= 1:
        return content, 1
    image = decode_image(content, reduction if is_jpeg else 1)
    size = size or image.shape[:2]
    if exactly:
        height, width = (round(pixels / factor) for pixels in size)
    else:
        height, width = (pixels // reduction for pixels in size)
        rest = 1 if is_jpeg else reduction
        image = image[: height * rest, : width * rest]
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(
        '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return encoded.tobytes(), factor


def _size(content: bytes) -> tuple[int, int]:
    """Sides of an image that is no JPEG, from its header; 0 if unknown."""
    check_header(content)  # Pillow allocates what a WebP claims
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except (OSError, SyntaxError, ValueError):
        return 0, 0  # OpenCV may know better
    finally:
        Image.MAX_IMAGE_PIXELS = limit
