"""The picture of image_makers.py in every kind of file."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from image_makers import (
    animated,
    bands,
    between,
    cmyk,
    codec,
    deep,
    dicom,
    dng,
    fits,
    grey,
    heic,
    picture,
    png,
    pnm,
    saved,
    scene,
    tiff,
    turned,
    with_alpha,
    with_nan,
)
from PIL import Image

#: Range of the thermal counts.
COUNTS = (29000, 31000)


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        name (str): What it is.
        make (Callable[[], bytes]): Makes one of the picture.
        settings (dict): The ``value_range`` and ``bands`` that it needs, if
            any.
        needs (Sequence[str]): Modules that its maker imports.
    """

    name: str
    make: Callable[[], bytes]
    settings: dict = {}
    needs: Sequence[str] = ()


_T, _C, _H = ['tifffile'], ['imagecodecs'], ['pillow_heif']
_TC = [*_T, *_C]
_THREE = dict(bands=(0, 1, 2))


def _range(low: float, high: float) -> dict:
    return dict(value_range=(low, high))


_FROM_PILLOW = [
    Kind('JPEG', lambda: saved(picture(), 'JPEG', quality=95)),
    Kind(
        'JPEG, progressive',
        lambda: saved(picture(), 'JPEG', quality=95, progressive=True),
    ),
    Kind(
        'JPEG, grey',
        lambda: saved(Image.fromarray(grey()), 'JPEG', quality=95),
    ),
    Kind("JPEG, CMYK with Adobe's marker", lambda: cmyk(True)),
    Kind('JPEG, CMYK without it', lambda: cmyk(False)),
    Kind('JPEG, turned by EXIF', lambda: turned('JPEG', quality=95)),
    Kind(
        'JPEG, bytes behind its end',
        lambda: saved(picture(), 'JPEG', quality=95) + b'\0' * 99,
    ),
    Kind('PNG', lambda: saved(picture(), 'PNG')),
    Kind('PNG, grey', lambda: saved(Image.fromarray(grey()), 'PNG')),
    Kind(
        'PNG, grey with alpha',
        lambda: saved(with_alpha().convert('LA'), 'PNG'),
    ),
    Kind('PNG, one bit', lambda: saved(picture().convert('1'), 'PNG', bits=1)),
    Kind('PNG, palette', lambda: saved(picture().quantize(256), 'PNG')),
    Kind('PNG, alpha', lambda: saved(with_alpha(), 'PNG')),
    Kind('PNG, animated', lambda: animated('PNG')),
    Kind('PNG, turned by EXIF', lambda: turned('PNG')),
    Kind('BMP', lambda: saved(picture(), 'BMP')),
    Kind('GIF', lambda: saved(picture(), 'GIF')),
    Kind('GIF, animated', lambda: animated('GIF')),
    Kind('WebP', lambda: saved(picture(), 'WEBP', quality=95)),
    Kind('WebP, turned by EXIF', lambda: turned('WEBP', quality=95)),
    Kind('WebP, alpha', lambda: saved(with_alpha(), 'WEBP', quality=95)),
    Kind('WebP, animated', lambda: animated('WEBP', quality=95)),
    Kind('AVIF', lambda: saved(picture(), 'AVIF', quality=95)),
    Kind('AVIF, turned', lambda: turned('AVIF', quality=95)),
    Kind('JPEG 2000', lambda: saved(picture(), 'JPEG2000')),
    Kind('TIFF', lambda: saved(picture(), 'TIFF')),
    Kind('TIFF, turned', lambda: turned('TIFF')),
    Kind('TIFF, CMYK', lambda: saved(picture().convert('CMYK'), 'TIFF')),
]
_DEEP = [
    Kind('PNG, 16 bits of colour', lambda: png(deep(scene()))),
    Kind('PNG, 16 bits of grey', lambda: png(deep(grey()))),
    Kind('PNG, 16 bits with alpha', lambda: png(bands(deep(scene()), 1))),
    Kind(
        'PNG, 12 bits in 16',
        lambda: png(between(0, 4095, 'u2')),
        _range(0, 4095),
    ),
    Kind(
        'PNG, thermal counts of 29000 to 31000',
        lambda: png(between(*COUNTS, 'u2')),
        _range(*COUNTS),
    ),
    Kind('PGM of 0 to 100', lambda: pnm(between(0, 100, 'u1'), 100)),
    Kind('PGM of 0 to 1023', lambda: pnm(between(0, 1023, 'u2'), 1023)),
    Kind('PPM, 16 bits', lambda: pnm(deep(scene()), 65535)),
    Kind('HEIC', lambda: heic(False), needs=_H),
    Kind('HEIC, turned', lambda: heic(True), needs=_H),
    Kind('JPEG XL', lambda: codec('jpegxl', scene()), needs=_C),
    Kind(
        'JPEG XL, 16 bits',
        lambda: codec('jpegxl', deep(scene()), lossless=True),
        needs=_C,
    ),
    Kind(
        'JPEG 2000, 16 bits',
        lambda: codec('jpeg2k', deep(scene())),
        needs=_C,
    ),
]
_TIFFS = [
    Kind(
        'TIFF, zstd',
        lambda: tiff(scene(), compression='zstd'),
        needs=_TC,
    ),
    Kind('TIFF, 16 bits of grey', lambda: tiff(deep(grey())), needs=_T),
    Kind(
        'TIFF, 16 bits of colour',
        lambda: tiff(deep(scene()), photometric='rgb'),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, band after band',
        lambda: tiff(
            deep(scene()).transpose(2, 0, 1).copy(),
            photometric='rgb',
            planarconfig='separate',
        ),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, zstd',
        lambda: tiff(
            deep(scene()), photometric='rgb', compression='zstd', predictor=2
        ),
        needs=_TC,
    ),
    Kind(
        'TIFF, 16 bits, white is 0',
        lambda: tiff(65535 - deep(grey()), photometric='miniswhite'),
        needs=_T,
    ),
    Kind(
        'TIFF, 16 bits, turned',
        lambda: tiff(
            np.rot90(deep(grey())).copy(),
            photometric='minisblack',
            extratags=[(274, 3, 1, 6, True)],
        ),
        needs=_T,
    ),
    Kind(
        'TIFF, thermal counts of 29000 to 31000',
        lambda: tiff(between(*COUNTS, 'u2')),
        _range(*COUNTS),
        needs=_T,
    ),
    Kind(
        'TIFF, int16 of -1000 to 3000',
        lambda: tiff(between(-1000, 3000, 'i2')),
        _range(-1000, 3000),
        needs=_T,
    ),
    Kind(
        'TIFF, float32',
        lambda: tiff(between(250, 310, 'f4')),
        _range(250, 310),
        needs=_T,
    ),
    Kind(
        'TIFF, float32 with NaN',
        lambda: tiff(with_nan()),
        _range(250, 310),
        needs=_T,
    ),
    Kind(
        'TIFF, float16',
        lambda: tiff(between(0, 1, 'f2')),
        _range(0, 1),
        needs=_T,
    ),
    Kind(
        "TIFF, four bands by GDAL's and tifffile's defaults",
        lambda: tiff(
            bands(scene(), 1), photometric='rgb', extrasamples=['unassalpha']
        ),
        needs=_T,
    ),
    Kind(
        "TIFF, four bands of 16 bits by GDAL's defaults",
        lambda: tiff(
            bands(deep(scene()), 1),
            photometric='minisblack',
            planarconfig='contig',
            extrasamples=['unspecified'] * 3,
        ),
        _THREE,
        needs=_T,
    ),
    Kind(
        'TIFF, five bands',
        lambda: tiff(
            bands(scene(), 2),
            photometric='minisblack',
            planarconfig='contig',
        ),
        _THREE,
        needs=_T,
    ),
    Kind(
        'TIFF, complex numbers',
        lambda: tiff(between(0, 1, 'c8')),
        needs=_T,
    ),
    Kind('DNG', dng),
    Kind('DICOM', dicom),
    Kind('FITS', fits),
]

#: All of them.
KINDS = [*_FROM_PILLOW, *_DEEP, *_TIFFS]
