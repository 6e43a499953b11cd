"""The sides of a picture, from its header."""

from io import BytesIO

from PIL import Image

from ..transforms.encoded_image import BrokenImageError, check_header
from .kinds import kind_of
from .opening import open_heic
from .tiff import tiff_size


def picture_size(content: bytes) -> tuple[int, int]:
    """Read the sides of a picture without decoding it.

    Args:
        content (bytes): The file, of any kind.

    Returns:
        tuple[int, int]: Two sides in pixels, in any order; zeros if they are
        not known.

    Raises:
        BrokenImageError: If its header is damaged.
    """
    check_header(content)  # Pillow allocates what a WebP claims
    kind = kind_of(content)
    try:
        if kind == 'TIFF':
            return tiff_size(content)
        if kind == 'HEIC':
            return open_heic(content).size
    except (BrokenImageError, OSError, ValueError):
        return 0, 0
    return _size_by_pillow(content)


def _size_by_pillow(content: bytes) -> tuple[int, int]:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(BytesIO(content)) as image:
            return image.size
    except (OSError, SyntaxError, ValueError):
        return 0, 0  # OpenCV may know better
    finally:
        Image.MAX_IMAGE_PIXELS = limit
