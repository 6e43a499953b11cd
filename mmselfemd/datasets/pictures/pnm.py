"""PGM and PPM, whose values go up to what their header says."""

import re

import numpy as np

from ..transforms.encoded_image import BrokenImageError
from .picture import Picture

_SPACE = rb'(?:\s|#[^\n]*\n)+'
_HEADER = re.compile(
    rb'P([56])' + _SPACE.join([b'', *[rb'(\d{1,9})'] * 3]) + rb'\s'
)


def open_pnm(content: bytes) -> Picture | None:
    """Read a binary PGM or PPM.

    OpenCV reads values of 0 to 1023 as if 65535 were white, and Pillow has
    8 bits for all colours.

    Args:
        content (bytes): The file.

    Returns:
        Picture | None: None for other files of the family: text, bitmaps.

    Raises:
        BrokenImageError: If it is cut off.
    """
    header = _HEADER.match(content)
    if header is None:
        return None
    kind, width, height, largest = map(int, header.groups())
    bands = 3 if kind == 6 else 1
    dtype = np.dtype('>u2' if largest > 255 else 'u1')
    count, start = width * height * bands, header.end()
    if not 0 < count * dtype.itemsize <= len(content) - start:
        raise BrokenImageError(
            f'it is a PNM of {width} x {height} pixels, but does not decode: '
            'it is cut off'
        )
    pixels = np.frombuffer(content, dtype, count, start)
    pixels = pixels.astype(dtype.newbyteorder('='))
    return Picture(
        pixels.reshape(height, width, bands),
        'PNM',
        (0, max(largest, 1)),
        (0, 1, 2) if bands == 3 else (0,),
    )
