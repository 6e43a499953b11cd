"""Large photographs, made small once instead of in every epoch."""

import cv2

from .transforms.encoded_image import REDUCTIONS, decode_image, jpeg_size

JPEG_QUALITY = 95


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
    _, encoded = cv2.imencode(
        '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return encoded.tobytes()
