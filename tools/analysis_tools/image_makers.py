"""One small picture, and how cameras and programs write it into a file.

Pillow and OpenCV write most of them; the libraries of the extra
``mmselfemd[images]`` are imported where one is needed.
"""

import struct
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageOps


def scene() -> np.ndarray:
    """The picture: smooth colours, no two corners alike.

    Returns:
        np.ndarray: (120, 160, 3), RGB, uint8.
    """
    grid = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    grid[0, 0], grid[2, 3] = 255, 0
    return cv2.resize(grid, (160, 120), interpolation=cv2.INTER_LINEAR)


def picture() -> Image.Image:
    return Image.fromarray(scene())


def grey() -> np.ndarray:
    return np.asarray(picture().convert('L'))


def saved(image: Image.Image, kind: str, **kwargs) -> bytes:
    file = BytesIO()
    image.save(file, kind, **kwargs)
    return file.getvalue()


def turned(kind: str, **kwargs) -> bytes:
    """Stored on its side, with the tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    on_its_side = picture().transpose(Image.Transpose.ROTATE_90)
    return saved(on_its_side, kind, exif=exif, **kwargs)


def animated(kind: str, **kwargs) -> bytes:
    others = [ImageOps.invert(picture())]
    return saved(
        picture(), kind, save_all=True, append_images=others, **kwargs
    )


def with_alpha() -> Image.Image:
    image = picture()
    image.putalpha(77)
    return image


def cmyk(marked: bool) -> bytes:
    """With Adobe's marker the values are inverted, without it they are not."""
    cmyk = picture().convert('CMYK')
    if marked:
        return saved(cmyk, 'JPEG', quality=95)
    # Pillow inverts what it writes, and writes the marker behind the start.
    inverted = [ImageOps.invert(band) for band in cmyk.split()]
    content = saved(Image.merge('CMYK', inverted), 'JPEG', quality=95)
    return content[:2] + content[18:]


def png(pixels: np.ndarray) -> bytes:
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]]
    return cv2.imencode('.png', pixels)[1].tobytes()


def pnm(pixels: np.ndarray, largest: int) -> bytes:
    height, width = pixels.shape[:2]
    dtype = '>u2' if largest > 255 else 'u1'
    head = f'P{6 if pixels.ndim == 3 else 5}\n# made up\n{width} {height}\n'
    return f'{head}{largest}\n'.encode() + pixels.astype(dtype).tobytes()


def tiff(pixels: np.ndarray, **kwargs) -> bytes:
    import tifffile

    file = BytesIO()
    tifffile.imwrite(file, pixels, **kwargs)
    return file.getvalue()


def codec(name: str, pixels: np.ndarray, **kwargs) -> bytes:
    import imagecodecs

    return bytes(getattr(imagecodecs, f'{name}_encode')(pixels, **kwargs))


def heic(turned: bool) -> bytes:
    import pillow_heif

    image, exif = picture(), None
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6
        exif = exif.tobytes()
    file = BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=95, exif=exif)
    return file.getvalue()


def dng() -> bytes:
    """The thumbnail alone, with the tag that says what file it is."""
    return saved(picture(), 'TIFF', tiffinfo={254: 1, 50706: b'\x01\x04\0\0'})


def deep(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.uint16) * 257


def between(low: float, high: float, dtype: str) -> np.ndarray:
    """Grey whose black is ``low`` and whose white is ``high``."""
    values = low + grey().astype(np.float64) / 255 * (high - low)
    if np.dtype(dtype).kind in 'ui':
        values = values.round()
    return values.astype(dtype)


def with_nan() -> np.ndarray:
    values = between(250, 310, 'f4')
    values[:4] = np.nan
    return values


def bands(pixels: np.ndarray, number: int) -> np.ndarray:
    """The colours, and further bands of one value each."""
    rest = [np.full_like(pixels[..., :1], 3 + 40 * k) for k in range(number)]
    return np.concatenate([pixels, *rest], axis=2)


def fits() -> bytes:
    return b'SIMPLE  =                    T'.ljust(2880) + bytes(2880)


def dicom() -> bytes:
    return bytes(128) + b'DICM' + struct.pack('<HH', 2, 0) + bytes(200)
