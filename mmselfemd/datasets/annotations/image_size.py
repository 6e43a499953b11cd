"""The size of an image as it decodes, from its first bytes where possible."""

import os
import stat
import struct
import zlib
from typing import NamedTuple

from PIL import Image

from mmselfemd.datasets.pictures import open_picture
from mmselfemd.datasets.pictures.opening import without_pillows_limit
from mmselfemd.datasets.transforms.encoded_image import (
    BrokenImageError,
    check_header,
)
from mmselfemd.datasets.transforms.exif_orientation import (
    exif_orientation,
    is_read_alike,
    is_transposed,
    valid_orientation,
)

_MOST_PIXELS = 1 << 30  # OpenCV's limit
_HEAD = 4096  # most JPEGs say their size in these
_ORIENTATION = 0x0112  # tag of TIFF and EXIF
_NO_SIZE = {0xC4, 0xC8, 0xCC}  # markers from C0 to CF that hold no size


class ImageFile(NamedTuple):
    """What the check of a file needs to know of it.

    Attributes:
        size (tuple[int, int]): Width and height as it decodes.
        key (tuple[int, int]): Bytes, and a checksum of the first: of files
            that are equal it is the same.
    """

    size: tuple[int, int]
    key: tuple[int, int]


def look_at_image(path: str) -> ImageFile:
    """Read the size of an image, turned upright as it is read.

    Args:
        path (str): The file.

    Returns:
        ImageFile: Its size and a key.

    Raises:
        OSError: If it cannot be read.
        BrokenImageError: If it is no image that decodes.
    """
    # Without Python's file objects, which take as long as all the rest.
    # A pipe would be waited for.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BrokenImageError('a folder, or no regular file')
        head = os.read(descriptor, _HEAD)
        num_bytes = status.st_size
    finally:
        os.close(descriptor)
    size = _size_in_head(head) or _size_by_pillow(path)
    if size is None or size[0] * size[1] > _MOST_PIXELS:
        size = _size_by_decoder(path)
    return ImageFile(size, (num_bytes, zlib.crc32(head)))


def _size_in_head(head: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that is not turned; None if unsure."""
    if head[:2] != b'\xff\xd8':
        return None
    place = 2
    while place + 9 <= len(head):
        start, marker, length = struct.unpack_from('>BBH', head, place)
        if start != 0xFF or head[place + 4 : place + 8] == b'Exif':
            return None
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            height, width = struct.unpack_from('>HH', head, place + 5)
            return (width, height) if width and height else None
        place += 2 + length
    return None


def _size_by_pillow(path: str) -> tuple[int, int] | None:
    """Width and height from the header; None if the decoder may know more."""
    try:
        return _size_in_header(path)
    except Image.DecompressionBombError:  # its limit is none of the run's
        with open(path, 'rb') as file:
            check_header(file.read())
        with without_pillows_limit():
            return _size_in_header(path)


def _size_in_header(path: str) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            width, height = image.size
            tags = getattr(image, 'tag_v2', None)
            turned = is_transposed(
                valid_orientation(tags.get(_ORIENTATION, 1))
                if tags
                else exif_orientation(image)
            )
            if image.format in ('JPEG', 'MPO'):
                if is_read_alike(image):
                    return (height, width) if turned else (width, height)
            # Which others are turned is for the decoder to say.
            elif not turned:
                return width, height
    except (SyntaxError, OSError, ValueError, struct.error):
        pass
    return None


def _size_by_decoder(path: str) -> tuple[int, int]:
    with open(path, 'rb') as file:
        height, width = open_picture(file.read()).pixels.shape[:2]
    return width, height
