"""Open a picture of any kind in its own bands and values."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..transforms.encoded_image import (
    BrokenImageError,
    UndecodedImageError,
    check_header,
    decode_image,
)
from ..transforms.exif_orientation import exif_orientation
from .extra import imported
from .kinds import REFUSED, is_animated_png, jpeg_components, kind_of
from .picture import Picture, picture_of
from .pnm import open_pnm
from .tiff import open_tiff

# Modes of Pillow that are colours or grey as they are, alpha last.
_PLAIN_MODES = ('L', 'LA', 'La', 'RGB', 'RGBA', 'RGBa', 'RGBX')
_HIGH_MODES = ('I', 'F', 'I;16', 'I;16L', 'I;16B', 'I;16N')


def open_picture(content: bytes) -> Picture:
    """Decode a picture, whatever its kind, and change no value of it.

    The first frame of an animation, the first page of a TIFF; upright by the
    orientation that the file gives.

    Args:
        content (bytes): The file.

    Returns:
        Picture: The picture.

    Raises:
        BrokenImageError: If it does not decode, is no picture, or needs a
            library that is missing; the message says what it is.
    """
    if not content:
        raise BrokenImageError('it is empty')
    check_header(content)
    kind = kind_of(content)
    if kind in REFUSED:
        raise BrokenImageError(
            f'it is {_a(kind)}, which is not read here: {REFUSED[kind]}'
        )
    opener = _OPENERS.get(kind, _open_by_opencv_or_pillow)
    try:
        picture = opener(content)
        if not picture.pixels.size:  # as tifffile reads some damaged files
            raise BrokenImageError(f'it is {_a(picture.kind)} without pixels')
        return picture
    except BrokenImageError as error:
        if kind is None:
            raise BrokenImageError(
                'it does not decode, and begins like no kind of picture that '
                f'is known: {bytes(content[:8])!r}'
            ) from error
        if isinstance(error, UndecodedImageError):
            raise BrokenImageError(
                f'it is {_a(kind)}, but does not decode'
            ) from error
        raise
    except Exception as error:  # each library has errors of its own
        raise BrokenImageError(
            f'it is {_a(kind or "file")}, but does not decode: '
            f'{type(error).__name__}: {error}'
        ) from error


def _a(kind: str) -> str:
    return f'an {kind}' if kind in ('AVIF', 'HDF5', 'SVG') else f'a {kind}'


def _open_jpeg(content: bytes) -> Picture:
    # OpenCV takes CMYK for inverted, as Adobe writes it, marked or not.
    if jpeg_components(content) == 4:
        return open_by_pillow(content, 'JPEG')
    pixels = cv2.cvtColor(decode_image(content), cv2.COLOR_BGR2RGB)
    is_grey = jpeg_components(content) == 1
    return picture_of(pixels[..., :1] if is_grey else pixels, 'JPEG')


def _is_inverted_cmyk(image: Image.Image) -> bool:
    """Whether Pillow, too, has taken CMYK for inverted where it is not."""
    return (
        image.format == 'JPEG'
        and image.mode == 'CMYK'
        and 'adobe' not in image.info
    )


def _open_png(content: bytes) -> Picture:
    if is_animated_png(content):
        return open_by_pillow(content, 'PNG')
    # Pillow would keep the upper 8 bits of 16.
    pixels = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED
    )
    if pixels is None:
        raise BrokenImageError('it is a PNG, but does not decode')
    if pixels.ndim == 3:
        order = cv2.COLOR_BGR2RGB
        if pixels.shape[2] == 4:
            order = cv2.COLOR_BGRA2RGBA
        pixels = cv2.cvtColor(pixels, order)
    if b'eXIf' not in content:
        return picture_of(pixels, 'PNG')
    with without_pillows_limit(), Image.open(BytesIO(content)) as image:
        image.load()  # it may be behind the pixels
        return picture_of(pixels, 'PNG', orientation=exif_orientation(image))


@contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Let Pillow open a picture of any size.

    What OpenCV reads may be six times as large as Pillow's limit. That the
    file can hold so much is to be seen before: :func:`check_header`.

    Yields:
        None: Meanwhile.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _open_by_opencv(content: bytes, kind: str) -> Picture:
    pixels = cv2.cvtColor(decode_image(content), cv2.COLOR_BGR2RGB)
    return picture_of(pixels, kind)


def _open_by_opencv_or_pillow(content: bytes) -> Picture:
    """Read a file of a kind that has no reader here."""
    kind = kind_of(content) or 'file'
    try:
        return _open_by_opencv(content, kind)
    except BrokenImageError:
        return open_by_pillow(content, kind)


def open_by_pillow(content: bytes, kind: str) -> Picture:
    """Decode by Pillow.

    Args:
        content (bytes): The file.
        kind (str): Its kind.

    Returns:
        Picture: Of 8 bits, unless Pillow has more of a grey one.

    Raises:
        BrokenImageError: If Pillow does not know it, or it is damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of size, of odd metadata
            with Image.open(BytesIO(content)) as image:
                return picture_of(
                    _pixels(image),
                    image.format or kind,
                    orientation=exif_orientation(image),
                )
    except UnidentifiedImageError as error:
        raise BrokenImageError(
            f'it is {_a(kind)}, but does not decode'
        ) from error


def _pixels(image: Image.Image) -> np.ndarray:
    """The first frame, as grey or colours with what alpha there is."""
    if _is_inverted_cmyk(image):
        image = Image.merge('CMYK', [*map(ImageOps.invert, image.split())])
    if image.mode not in (*_PLAIN_MODES, *_HIGH_MODES):
        image = image.convert(_colour_mode(image))
    pixels = np.asarray(image)
    if image.mode == 'I' and pixels.min() >= 0 and pixels.max() < 2**16:
        return pixels.astype(np.uint16)  # Pillow has no other mode for them
    return pixels


def _colour_mode(image: Image.Image) -> str:
    if image.mode == '1':
        return 'L'
    has_alpha = 'transparency' in image.info or image.mode.endswith('A')
    return 'RGBA' if has_alpha else 'RGB'


def open_heic(content: bytes) -> Any:
    """Open a HEIC without decoding it.

    Args:
        content (bytes): The file.

    Returns:
        Any: pillow_heif's ``HeifFile``, which turns it upright.

    Raises:
        BrokenImageError: If pillow_heif is missing.
    """
    library = imported('pillow_heif', 'pillow-heif', 'a HEIC')
    return library.open_heif(content, convert_hdr_to_8bit=True)


def _open_avif(content: bytes) -> Picture:
    try:
        return open_by_pillow(content, 'AVIF')
    except BrokenImageError:
        from PIL import features

        if features.check('avif'):
            raise
    raise BrokenImageError(
        'it is an AVIF, which needs Pillow of at least 11.3 with libavif: '
        'pip install "mmselfemd[images]"'
    )


def _open_jpeg_xl(content: bytes) -> Picture:
    codecs = imported('imagecodecs', 'imagecodecs', 'a JPEG XL')
    pixels = codecs.jpegxl_decode(content)
    if pixels.ndim == 4:  # an animation
        pixels = pixels[0]
    return picture_of(pixels, 'JPEG XL')


def _open_jpeg_2000(content: bytes) -> Picture:
    """Of more than 8 bits by imagecodecs: Pillow would take them away."""
    at = content.find(b'\xff\x51')  # SIZ; bits less one are its 39th byte
    bits = (content[at + 40] & 0x7F) + 1 if 0 <= at < len(content) - 40 else 8
    if bits <= 8:
        return open_by_pillow(content, 'JPEG 2000')
    what = f'a JPEG 2000 of {bits} bits'
    codecs = imported('imagecodecs', 'imagecodecs', what)
    return picture_of(codecs.jpeg2k_decode(content), 'JPEG 2000', bits)


def _by_pillow(kind: str) -> Callable[[bytes], Picture]:
    return lambda content: open_by_pillow(content, kind)


_OPENERS: dict[str | None, Callable[[bytes], Picture]] = {
    'JPEG': _open_jpeg,
    'PNG': _open_png,
    'TIFF': lambda content: open_tiff(content, open_by_pillow),
    'PNM': lambda content: open_pnm(content) or open_by_pillow(content, 'PNM'),
    'WebP': _by_pillow('WebP'),
    'GIF': _by_pillow('GIF'),
    'AVIF': _open_avif,
    'HEIC': lambda content: picture_of(
        _pixels(open_heic(content).to_pillow()), 'HEIC'
    ),
    'JPEG XL': _open_jpeg_xl,
    'JPEG 2000': _open_jpeg_2000,
}
