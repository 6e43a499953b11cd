"""The sides of a picture, from its header."""

from io import BytesIO

from PIL import Image

from ..transforms.encoded_image import check_header
from .kinds import kind_of
from .opening import open_heic, without_pillows_limit
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
    try:
        with without_pillows_limit():
            return _size(content)
    except Exception:  # each library has errors of its own
        return 0, 0  # OpenCV may know better, or it shows when it is decoded


def _size(content: bytes) -> tuple[int, int]:
    kind = kind_of(content)
    if kind == 'TIFF':
        return tiff_size(content)
    if kind == 'HEIC':
        return open_heic(content).size
    with Image.open(BytesIO(content)) as image:
        return image.size
