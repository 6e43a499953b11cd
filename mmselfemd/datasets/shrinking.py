"""Large photographs, made small once instead of in every epoch."""

import cv2

from .pictures import ValueMapping, open_picture
from .pictures.sizes import picture_size
from .transforms.encoded_image import REDUCTIONS, decode_image, jpeg_size

JPEG_QUALITY = 95


def shrink(
    content: bytes,
    side: int,
    exactly: bool = False,
    mapping: ValueMapping | None = None,
) -> tuple[bytes, float]:
    """Make a large image small.

    Args:
        content (bytes): An image file.
        side (int): Pixels that the shorter side keeps.
        exactly (bool): Whether it keeps just so many. Defaults to False: the
            image is reduced by a whole number, and the shorter side keeps
            less than twice as many, unless it had more than 16 times. A last
            row or column that would be a part of a pixel is left out.
        mapping (ValueMapping, optional): How 8-bit colour is made of it.
            Defaults to None: images of more than 8 bits, or whose bands are
            no colours, are left alone.

    Returns:
        tuple[bytes, float]: The file and 1 if it is small, or its header
        unknown; else a JPEG, upright, and by how much it is reduced each
        way: 2, 4 or 8 unless ``exactly``.

    Raises:
        BrokenImageError: If it is large and does not decode, or its header
            is damaged.
    """
    size = jpeg_size(content)
    is_jpeg = size is not None and (mapping is None or mapping.keeps_colours)
    shorter = min(size or picture_size(content))
    reduction = next((r for r in REDUCTIONS if shorter >= r * side), 1)
    factor = shorter / side if exactly else reduction
    if factor <= 1:
        return content, 1
    if is_jpeg:
        image = decode_image(content, reduction)
    elif mapping is not None:
        image = mapping.read(content)
    else:
        picture = open_picture(content)
        if not picture.is_plain or picture.colours is None:
            return content, 1
        image = ValueMapping().apply(picture)
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
