"""TIFF, which holds anything: bands, bits, floats, compressions."""

import contextlib
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL.Image import DecompressionBombError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ..transforms.encoded_image import BrokenImageError, decode_image
from .extra import imported
from .picture import Picture, picture_of

# Tags.
_WIDTH, _HEIGHT = 256, 257
_SUBFILE_TYPE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 258, 259, 262
_BANDS, _SUB_FILES, _EXTRA, _FORMAT = 277, 330, 338, 339
_ORIENTATION, _DNG_VERSION = 274, 50706

# Pillow takes it for a plain TIFF.
_BIG_ENDIAN_BIG = b'MM\0+'

_WHITE_IS_0, _BLACK_IS_0, _RGB, _PALETTE, _YCBCR, _LAB = 0, 1, 2, 3, 6, 8
# Not made RGB by tifffile; YCbCr is, where the compression knows of it.
_OTHER_COLOURS = {5: 'CMYK', _YCBCR: 'YCbCr', _LAB: 'Lab', 9: 'Lab', 10: 'Lab'}
_WITHOUT_COLOURS = {1, 5, 8, 32773, 32946, 34925, 50000}
# Compressions that OpenCV's libtiff has: none, fax, LZW, JPEG, deflate,
# packbits. Of others it complains on the terminal.
_OPENCV_HAS = {1, 2, 3, 4, 5, 7, 8, 32773, 32946}

# Bands of colour by photometric interpretation: grey, RGB, palette, CMYK,
# YCbCr, Lab.
_NUM_COLOURS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}


class _Header(NamedTuple):
    """What the first page says of itself."""

    bits: int
    num_bands: int
    num_extra: int
    photometric: int
    compression: int
    is_unsigned: bool
    is_thumbnail: bool
    is_dng: bool

    @property
    def is_common(self) -> bool:
        """Whether it is 8-bit grey or colour, with no more than an alpha."""
        colours = _NUM_COLOURS.get(self.photometric)
        return (
            self.bits <= 8
            and self.is_unsigned
            and self.num_extra <= 1
            and self.num_bands - self.num_extra == colours
        )

    @property
    def is_for_opencv(self) -> bool:
        """Whether OpenCV reads a common one right.

        It would multiply the colours by a band of alpha, and its Lab is
        brighter than it should be.
        """
        return (
            not self.num_extra
            and self.compression in _OPENCV_HAS
            and self.photometric != _LAB
        )


def open_tiff(
    content: bytes, open_by_pillow: Callable[[bytes, str], Picture]
) -> Picture:
    """Read the first page of a TIFF.

    Args:
        content (bytes): The file.
        open_by_pillow (Callable[[bytes, str], Picture]): Reads the common
            kinds, of 8 bits.

    Returns:
        Picture: The page. A fourth band of RGB is no colour, whatever it may
        be; of four bands or more that are not said to be colours, none are.

    Raises:
        BrokenImageError: If it is a raw photograph (DNG, NEF), does not
            decode, or needs a library that is missing.
    """
    if content.startswith(_BIG_ENDIAN_BIG):
        return _open_by_tifffile(content, 'a BigTIFF')
    header = _read_header(content)
    if header.is_dng or header.is_thumbnail:
        raise BrokenImageError(
            'it is a raw photograph (DNG or its kin), of which only a '
            'thumbnail could be read here: develop it as a TIFF or JPEG'
        )
    if header.is_common:
        if header.is_for_opencv:
            pixels = cv2.cvtColor(decode_image(content), cv2.COLOR_BGR2RGB)
            is_grey = header.photometric in (_WHITE_IS_0, _BLACK_IS_0)
            return picture_of(pixels[..., :1] if is_grey else pixels, 'TIFF')
        # A compression that Pillow lacks, or more pixels than it opens.
        with contextlib.suppress(
            BrokenImageError, OSError, ValueError, DecompressionBombError
        ):
            return open_by_pillow(content, 'TIFF')
    bands = '1 band' if header.num_bands == 1 else f'{header.num_bands} bands'
    return _open_by_tifffile(
        content, f'a TIFF of {bands} of {header.bits} bits'
    )


def tiff_size(content: bytes) -> tuple[int, int]:
    """Sides of the first page of a TIFF, from its header.

    Args:
        content (bytes): The file.

    Returns:
        tuple[int, int]: Height and width as stored, in pixels.

    Raises:
        BrokenImageError: If its header is damaged.
    """
    tags = _read_tags(content)
    return _numbers(tags, _HEIGHT, 0)[0], _numbers(tags, _WIDTH, 0)[0]


def _read_tags(content: bytes) -> ImageFileDirectory_v2:
    is_big = content[2:3] == b'+' or content[3:4] == b'+'
    head = bytes(content[: 16 if is_big else 8])
    try:
        tags = ImageFileDirectory_v2(head)
        file = BytesIO(content)
        file.seek(tags.next)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of metadata cut off
            tags.load(file)
    except Exception as error:  # whatever its bytes lead Pillow into
        raise BrokenImageError(
            f'it is a TIFF, but does not decode: its header is damaged '
            f'({error})'
        ) from error
    return tags


def _read_header(content: bytes) -> _Header:
    tags = _read_tags(content)
    bits = _numbers(tags, _BITS, 1)
    return _Header(
        bits=max(bits),
        num_bands=_numbers(tags, _BANDS, len(bits))[0],
        num_extra=len(_numbers(tags, _EXTRA)),
        photometric=_numbers(tags, _PHOTOMETRIC, 1)[0],
        compression=_numbers(tags, _COMPRESSION, 1)[0],
        is_unsigned=set(_numbers(tags, _FORMAT, 1)) <= {1, 4},
        is_thumbnail=bool(_numbers(tags, _SUBFILE_TYPE, 0)[0] & 1)
        and _SUB_FILES in tags,
        is_dng=_DNG_VERSION in tags,
    )


def _numbers(tags: Any, tag: int, *default: int) -> tuple[int, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # of a damaged tag
        value = tags.get(tag, default)
    return value if isinstance(value, tuple) else (value,)


def _open_by_tifffile(content: bytes, what: str) -> Picture:
    tifffile = imported('tifffile', 'tifffile', what)
    try:
        with tifffile.TiffFile(BytesIO(content)) as file:
            page = file.pages[0]
            _refuse_other_colours(page, what)
            pixels = _with_bands_last(page.asarray(), page.axes, what)
            orientation = page.tags.valueof(_ORIENTATION, default=1)
    except ValueError as error:
        if 'imagecodecs' not in str(error):
            raise
        imported('imagecodecs', 'imagecodecs', f'{what} ({error})')
        raise
    if pixels.dtype.kind == 'c':
        raise BrokenImageError(
            f'it is {what}, complex numbers: write their magnitude, or its '
            'logarithm, as float32'
        )
    if page.photometric == _PALETTE and page.colormap is not None:
        pixels = _coloured(pixels, page.colormap)
        return picture_of(pixels, 'TIFF', orientation=int(orientation))
    bits = page.bitspersample if pixels.dtype.kind in 'ui' else None
    if page.photometric == _WHITE_IS_0 and pixels.dtype.kind == 'u':
        pixels = np.array(2**bits - 1, pixels.dtype) - pixels
    picture = picture_of(pixels, 'TIFF', bits, orientation=int(orientation))
    picture.colours = _colours(
        page.photometric, len(page.extrasamples), picture.num_bands
    )
    return picture


def _refuse_other_colours(page: Any, what: str) -> None:
    """Raise if three or four bands would be taken for RGB, and are not."""
    colours = _OTHER_COLOURS.get(page.photometric)
    is_decoded = page.compression not in _WITHOUT_COLOURS
    if colours is None or (page.photometric == _YCBCR and is_decoded):
        return
    raise BrokenImageError(
        f'it is {what}, {colours}, which is read here of 8 bits alone: '
        'write it as RGB'
    )


def _coloured(numbers: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colours, (H, W, 3), of a palette of shape (3, N), 16 bits or 8."""
    palette = palette >> 8 if palette.max() > 255 else palette
    return palette.astype(np.uint8).T[numbers.reshape(numbers.shape[:2])]


def _with_bands_last(pixels: np.ndarray, axes: str, what: str) -> np.ndarray:
    for axis in set(axes) - set('YXS'):  # a stack: its first
        pixels = pixels.take(0, axes.index(axis))
        axes = axes.replace(axis, '')
    if axes == 'SYX':  # band after band
        return pixels.transpose(1, 2, 0)
    if axes not in ('YX', 'YXS'):
        raise BrokenImageError(f'it is {what}, but no picture: axes {axes!r}')
    return pixels


def _colours(
    photometric: int, num_extra: int, num_bands: int
) -> tuple[int, ...] | None:
    """Which bands are colours, if the file says so."""
    if photometric == _RGB and num_bands >= 3:
        return (0, 1, 2)
    # Three bands of grey are colours to everyone who writes them so.
    if num_bands == 3 and num_extra != 1:
        return (0, 1, 2)
    is_grey = photometric in (0, 1) and num_bands - num_extra == 1
    return (0,) if num_bands == 1 or (is_grey and num_bands == 2) else None
