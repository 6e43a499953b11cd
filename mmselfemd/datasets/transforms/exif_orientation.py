"""How a picture is to be turned, by its EXIF alone.

Pillow's ``getexif`` takes the orientation of XMP where EXIF has none; OpenCV,
by which mmcv decodes, never does.
"""

import struct

from PIL import Image

_ORIENTATION = 0x0112  # tag of EXIF
_NUM_ORIENTATIONS = 8
_FIRST_TRANSPOSED = 5  # from it on, width and height swap


def exif_orientation(image: Image.Image) -> int:
    """The orientation that a file gives.

    Args:
        image (Image.Image): As Pillow opens it.

    Returns:
        int: 1 to 8; 1, upright, where there is none, or none that is valid.
    """
    exif = Image.Exif()
    try:
        exif.load(image.info.get('exif') or b'')
    except (SyntaxError, OSError, ValueError, struct.error):
        return 1
    return valid_orientation(exif.get(_ORIENTATION, 1))


def valid_orientation(value: object) -> int:
    """An orientation as it is meant.

    Args:
        value (object): The value of the tag.

    Returns:
        int: 1 to 8; 1 for what is no orientation.
    """
    is_valid = isinstance(value, int) and 1 <= value <= _NUM_ORIENTATIONS
    return value if is_valid else 1


def is_transposed(orientation: int) -> bool:
    """Whether width and height swap.

    Args:
        orientation (int): 1 to 8.

    Returns:
        bool: For 5 to 8.
    """
    return orientation >= _FIRST_TRANSPOSED


def is_read_alike(image: Image.Image) -> bool:
    """Whether all readers see the same EXIF in a JPEG.

    OpenCV (4.11) looks into the first segment APP1 alone, which may hold XMP.

    Args:
        image (Image.Image): A JPEG, as Pillow opens it.

    Returns:
        bool: False where EXIF comes behind it.
    """
    segments = [data for name, data in image.applist if name == 'APP1']
    has_exif = [data.startswith(b'Exif\0\0') for data in segments]
    return not any(has_exif) or has_exif[0]
