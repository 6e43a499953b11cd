"""One small picture in the files that cameras and programs write.

The makers of these files use Pillow, OpenCV and, where ``needs`` says so, the
libraries of the extra ``mmselfemd[images]``.
"""

import struct
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageOps

#: Range of the thermal counts.
COUNTS = (29000, 31000)


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        name (str): What it is.
        make (Callable[[], bytes]): Makes one of :func:`scene`.
        settings (dict): The ``value_range`` and ``bands`` that it needs, if
            any.
        needs (Sequence[str]): Modules that its maker imports.
    """

    name: str
    make: Callable[[], bytes]
    settings: dict = {}
    needs: Sequence[str] = ()


def scene() -> np.ndarray:
    """The picture: smooth colours, no two corners alike.

    Returns:
        np.ndarray: (120, 160, 3), RGB, uint8.
    """
    grid = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    grid[0, 0], grid[2, 3] = 255, 0
    return cv2.resize(grid, (160, 120), interpolation=cv2.INTER_LINEAR)


def _picture() -> Image.Image:
    return Image.fromarray(scene())


def _grey() -> np.ndarray:
    return np.asarray(_picture().convert('L'))


def _saved(image: Image.Image, kind: str, **kwargs) -> bytes:
    file = BytesIO()
    image.save(file, kind, **kwargs)
    return file.getvalue()


def _turned(kind: str, **kwargs) -> bytes:
    """Stored on its side, with the tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    on_its_side = _picture().transpose(Image.Transpose.ROTATE_90)
    return _saved(on_its_side, kind, exif=exif, **kwargs)


def _animated(kind: str, **kwargs) -> bytes:
    others = [ImageOps.invert(_picture())]
    return _saved(
        _picture(), kind, save_all=True, append_images=others, **kwargs
    )


def _with_alpha() -> Image.Image:
    image = _picture()
    image.putalpha(77)
    return image


def _cmyk(marked: bool) -> bytes:
    """With Adobe's marker the values are inverted, without it they are not."""
    cmyk = _picture().convert('CMYK')
    if marked:
        return _saved(cmyk, 'JPEG', quality=95)
    # Pillow inverts what it writes, and writes the marker behind the start.
    inverted = [ImageOps.invert(band) for band in cmyk.split()]
    content = _saved(Image.merge('CMYK', inverted), 'JPEG', quality=95)
    return content[:2] + content[18:]


def _png(pixels: np.ndarray) -> bytes:
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    return cv2.imencode('.png', pixels)[1].tobytes()


def _pnm(pixels: np.ndarray, largest: int) -> bytes:
    height, width = pixels.shape[:2]
    dtype = '>u2' if largest > 255 else 'u1'
    head = f'P{6 if pixels.ndim == 3 else 5}\n# made up\n{width} {height}\n'
    return f'{head}{largest}\n'.encode() + pixels.astype(dtype).tobytes()


def _tiff(pixels: np.ndarray, **kwargs) -> bytes:
    import tifffile

    file = BytesIO()
    tifffile.imwrite(file, pixels, **kwargs)
    return file.getvalue()


def _codec(name: str, pixels: np.ndarray, **kwargs) -> bytes:
    import imagecodecs

    return bytes(getattr(imagecodecs, f'{name}_encode')(pixels, **kwargs))


def _heic(turned: bool) -> bytes:
    import pillow_heif

    image, exif = _picture(), None
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        exif = exif.tobytes()
    file = BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95, exif=exif)
    return file.getvalue()


def _dng() -> bytes:
    """The thumbnail alone, with the tag that says what file it is."""
    return _saved(
        _picture(), 'TIFF', tiffinfo={254: 1, 50706: b'\x01\x04\0\0'}
    )


def _deep(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.uint16) * 257


def _between(low: float, high: float, dtype: str) -> np.ndarray:
    """Grey whose black is ``low`` and whose white is ``high``."""
    values = low + _grey().astype(np.float64) / 255 * (high - low)
    if np.dtype(dtype).kind in 'ui':
        values = values.round()
    return values.astype(dtype)


def _with_nan() -> np.ndarray:
    values = _between(250, 310, 'f4')
    values[:4] = np.nan
    return values


def _bands(pixels: np.ndarray, number: int) -> np.ndarray:
    """The colours, and further bands of one value each."""
    rest = [np.full_like(pixels[..., :1], 3 + 40 * k) for k in range(number)]
    return np.concatenate([pixels, *rest], axis=2)


def _fits() -> bytes:
    return b'SIMPLE  =                    T'.ljust(2880) + bytes(2880)


def _dicom() -> bytes:
    return bytes(128) + b'DICM' + struct.pack('<HH', 2, 0) + bytes(200)


_T, _C, _H = ['tifffile'], ['imagecodecs'], ['pillow_heif']
_TC = [*_T, *_C]
_THREE = dict(bands=(0, 1, 2))


def _range(low: float, high: float) -> dict:
    return dict(value_range=(low, high))


_FROM_PILLOW = [
    Kind('JPEG', lambda: _saved(_picture(), 'JPEG', quality=95)),
    Kind(
        'JPEG, progressive',
        lambda: _saved(_picture(), 'JPEG', quality=95, progressive=True),
    ),
    Kind(
        'JPEG, grey',
        lambda: _saved(Image.fromarray(_grey()), 'JPEG', quality=95),
    ),
    Kind("JPEG, CMYK with Adobe's marker", lambda: _cmyk(True)),
    Kind('JPEG, CMYK without it', lambda: _cmyk(False)),
    Kind('JPEG, turned by EXIF', lambda: _turned('JPEG', quality=95)),
    Kind(
        'JPEG, bytes behind its end',
        lambda: _saved(_picture(), 'JPEG', quality=95) + b'\0' * 99,
    ),
    Kind('PNG', lambda: _saved(_picture(), 'PNG')),
    Kind('PNG, grey', lambda: _saved(Image.fromarray(_grey()), 'PNG')),
    Kind(
        'PNG, grey with alpha',
        lambda: _saved(_with_alpha().convert('LA'), 'PNG'),
    ),
    Kind(
        'PNG, one bit', lambda: _saved(_picture().convert('1'), 'PNG', bits=1)
    ),
    Kind('PNG, palette', lambda: _saved(_picture().quantize(256), 'PNG')),
    Kind('PNG, alpha', lambda: _saved(_with_alpha(), 'PNG')),
    Kind('PNG, animated', lambda: _animated('PNG')),
    Kind('PNG, turned by EXIF', lambda: _turned('PNG')),
    Kind('BMP', lambda: _saved(_picture(), 'BMP')),
    Kind('GIF', lambda: _saved(_picture(), 'GIF')),
    Kind('GIF, animated', lambda: _animated('GIF')),
    Kind('WebP', lambda: _saved(_picture(), 'WEBP', quality=95)),
    Kind('WebP, turned by EXIF', lambda: _turned('WEBP', quality=95)),
    Kind('WebP, alpha', lambda: _saved(_with_alpha(), 'WEBP', quality=95)),
    Kind('WebP, animated', lambda: _animated('WEBP', quality=95)),
    Kind('AVIF', lambda: _saved(_picture(), 'AVIF', quality=95)),
    Kind('AVIF, turned', lambda: _turned('AVIF', quality=95)),
    Kind('JPEG 2000', lambda: _saved(_picture(), 'JPEG2000')),
    Kind('TIFF', lambda: _saved(_picture(), 'TIFF')),
    Kind('TIFF, turned', lambda: _turned('TIFF')),
    Kind('TIFF, CMYK', lambda: _saved(_picture().convert('CMYK'), 'TIFF')),
]
_DEEP = [
    Kind('PNG, 16 bits of colour', lambda: _png(_deep(scene()))),
    Kind('PNG, 16 bits of grey', lambda: _png(_deep(_grey()))),
    Kind('PNG, 16 bits with alpha', lambda: _png(_bands(_deep(scene()), 1))),
    Kind(
        'PNG, 12 bits in 16',
        lambda: _png(_between(0, 4095, 'u2')),
        _range(0, 4095),
    ),
    Kind(
        'PNG, thermal counts of 29000 to 31000',
        lambda: _png(_between(*COUNTS, 'u2')),
        _range(*COUNTS),
    ),
    Kind('PGM of 0 to 100', lambda: _pnm(_between(0, 100, 'u1'), 100)),
    Kind('PGM of 0 to 1023', lambda: _pnm(_between(0, 1023, 'u2'), 1023)),
    Kind('PPM, 16 bits', lambda: _pnm(_deep(scene()), 65535)),
    Kind('HEIC', lambda: _heic(False), needs=_H),
    Kind('HEIC, turned', lambda: _heic(True), needs=_H),
    Kind('JPEG XL', lambda: _codec('jpegxl', scene()), needs=_C),
    Kind(
        'JPEG XL, 16 bits',
        lambda: _codec('jpegxl', _deep(scene()), lossless=True),
        needs=_C,
    ),
    Kind(
        'JPEG 2000, 16 bits',
        lambda: _codec('jpeg2k', _deep(scene())),
        needs=_C,
    ),
]
_TIFFS = [
    Kind(
        'TIFF, zstd',
        lambda: _tiff(scene(), compression='zstd'),
        needs=_TC,
    ),
    Kind('TIFF, 16 bits of grey', lambda: _tiff(_deep(_grey())), needs=_T),
    Kind(
        'TIFF, 16 bits of colour',
        lambda: _tiff(_deep(scene()), photometric='rgb'),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, band after band',
        lambda: _tiff(
            _deep(scene()).transpose(2, 0, 1).copy(),
            photometric='rgb',
            planarconfig='separate',
        ),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, zstd',
        lambda: _tiff(
            _deep(scene()), photometric='rgb', compression='zstd', predictor=2
        ),
        needs=_TC,
    ),
    Kind(
        'TIFF, 16 bits, white is 0',
        lambda: _tiff(65535 - _deep(_grey()), photometric='miniswhite'),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, turned',
        lambda: _tiff(
            np.rot90(_deep(_grey())).copy(),
            photometric='minisblack',
            extratags=[(274, 3, 1, 6, True)],
        ),
        needs=_T,
    ),
    Kind(
        'TIFF, thermal counts of 29000 to 31000',
        lambda: _tiff(_between(*COUNTS, 'u2')),
        _range(*COUNTS),
        needs=_T,
    ),
    Kind(
        'TIFF, int16 of -1000 to 3000',
        lambda: _tiff(_between(-1000, 3000, 'i2')),
        _range(-1000, 3000),
        needs=_T,
    ),
    Kind(
        'TIFF, float32',
        lambda: _tiff(_between(250, 310, 'f4')),
        _range(250, 310),
        needs=_T,
    ),
    Kind(
        'TIFF, float32 with NaN',
        lambda: _tiff(_with_nan()),
        _range(250, 310),
        needs=_T,
    ),
    Kind(
        'TIFF, float16',
        lambda: _tiff(_between(0, 1, 'f2')),
        _range(0, 1),
        needs=_T,
    ),
    Kind(
        "TIFF, four bands by GDAL's and tifffile's defaults",
        lambda: _tiff(
            _bands(scene(), 1), photometric='rgb', extrasamples=['unassalpha']
        ),
        needs=_T,
    ),
    Kind(
        "TIFF, four bands of 16 bits by GDAL's defaults",
        lambda: _tiff(
            _bands(_deep(scene()), 1),
            photometric='minisblack',
            planarconfig='contig',
            extrasamples=['unspecified'] * 3,
        ),
        _THREE,
        needs=_T,
    ),
    Kind(
        'TIFF, five bands',
        lambda: _tiff(
            _bands(scene(), 2),
            photometric='minisblack',
            planarconfig='contig',
        ),
        _THREE,
        needs=_T,
    ),
    Kind(
        'TIFF, complex numbers',
        lambda: _tiff(_between(0, 1, 'c8')),
        needs=_T,
    ),
    Kind('DNG', _dng),
    Kind('DICOM', _dicom),
    Kind('FITS', _fits),
]

#: All of them.
KINDS = [*_FROM_PILLOW, *_DEEP, *_TIFFS]
