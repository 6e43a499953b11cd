"""What kind of file it is, by its first bytes and not by its name."""

from collections.abc import Callable

from ..transforms.jpeg_frame import jpeg_frame

#: Endings of the files that are looked for in a folder, lower case. Raw
#: photographs (DNG, CR2, ...) are not among them: beside many of them lies
#: the JPEG of the same scene.
EXTENSIONS = (
    '.jpg',
    '.jpeg',
    '.png',
    '.ppm',
    '.bmp',
    '.pgm',
    '.tif',
    '.tiff',
    '.webp',
    '.gif',
    '.heic',
    '.heif',
    '.avif',
    '.jxl',
    '.jp2',
)

#: Kinds that are no picture that is read here, and what to do with them.
REFUSED = {
    'DICOM': 'write its values as a 16-bit TIFF or PNG, and its window as '
    'value_range',
    'FITS': 'write its values as a float32 TIFF',
    'HDF5': 'write its values as a TIFF',
    'NumPy': 'write its values as a TIFF',
    'PDF': 'write its pages as PNG',
    'SVG': 'draw it as PNG',
    'video': 'write its frames as JPEG or PNG',
    'raw photograph': 'develop it as a TIFF or JPEG',
}

_HEIF_BRANDS = {
    *(b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx'),
    *(b'mif1', b'msf1'),
}
_WEBP_EXIF, _WEBP_ANIMATION = 0x08, 0x02
_STARTS = (
    (b'\xff\xd8', 'JPEG'),
    (b'\x89PNG\r\n\x1a\n', 'PNG'),
    (b'GIF8', 'GIF'),
    (b'BM', 'BMP'),
    (b'II*\0\x10\0\0\0CR', 'raw photograph'),  # Canon's CR2
    (b'IIU\0', 'raw photograph'),  # Panasonic's RW2
    (b'IIRO', 'raw photograph'),  # Olympus' ORF
    (b'FUJIFILMCCD-RAW', 'raw photograph'),
    (b'II*\0', 'TIFF'),
    (b'MM\0*', 'TIFF'),
    (b'II+\0', 'TIFF'),  # more than 4 GB
    (b'MM\0+', 'TIFF'),
    (b'\xff\x0a', 'JPEG XL'),
    (b'\0\0\0\x0cJXL ', 'JPEG XL'),
    (b'\0\0\0\x0cjP  ', 'JPEG 2000'),
    (b'\xff\x4f\xff\x51', 'JPEG 2000'),
    (b'8BPS', 'Photoshop'),
    (b'SIMPLE  =', 'FITS'),
    (b'\x89HDF', 'HDF5'),
    (b'\x93NUMPY', 'NumPy'),
    (b'%PDF', 'PDF'),
    (b'<svg', 'SVG'),
    (b'\x1aE\xdf\xa3', 'video'),
)
_TESTS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: head[:4] == b'RIFF' and head[8:12] == b'WEBP', 'WebP'),
    (lambda head: head[:4] == b'RIFF' and head[8:12] == b'AVI ', 'video'),
    (lambda head: head[128:132] == b'DICM', 'DICOM'),
    (lambda head: head[:1] == b'P' and head[1:2] in b'123456', 'PNM'),
    (lambda head: head[:5] == b'<?xml' and b'<svg' in head, 'SVG'),
)


def kind_of(content: bytes) -> str | None:
    """Tell a file's kind from its first bytes.

    Args:
        content (bytes): The file, or its first 512 bytes.

    Returns:
        str | None: Such as ``'TIFF'``; None if it is not known here, which
        OpenCV and Pillow may know all the same.
    """
    head = bytes(content[:512])
    if head[4:8] == b'ftyp':
        return _media_kind(head)
    starts = (kind for start, kind in _STARTS if head.startswith(start))
    tests = (kind for test, kind in _TESTS if test(head))
    return next(starts, None) or next(tests, None)


def _media_kind(head: bytes) -> str:
    """HEIC, AVIF, Canon's CR3 and videos are boxes of the same make."""
    end = int.from_bytes(head[:4], 'big')
    brands = {head[8:12]}
    brands |= {head[at : at + 4] for at in range(16, min(end, 512), 4)}
    if head[8:12] == b'crx ':
        return 'raw photograph'
    if brands & {b'avif', b'avis'}:
        return 'AVIF'
    return 'HEIC' if brands & _HEIF_BRANDS else 'video'


def is_plain(content: bytes) -> bool:
    """Whether OpenCV decodes a file as it should be, to 8-bit colour.

    So do nearly all photographs, and none of them is to be slower for the
    sake of the others: JPEG of grey or colour, PNG of 8 bits or less, BMP,
    WebP without EXIF.

    Args:
        content (bytes): The file.

    Returns:
        bool: True also for a file of no known kind.
    """
    kind = kind_of(content)
    if kind == 'JPEG':
        return jpeg_components(content) != 4
    if kind == 'WebP':  # OpenCV 4 does not turn it; Pillow is half as fast
        is_extended = content[12:16] == b'VP8X'
        flags = int.from_bytes(content[20:21], 'big') if is_extended else 0
        return not flags & (_WEBP_EXIF | _WEBP_ANIMATION)
    if kind == 'PNG':
        is_deep = content[24:25] == b'\x10'  # bits, from IHDR
        return not is_deep and not is_animated_png(content)
    return kind in (None, 'BMP')


def is_animated_png(content: bytes) -> bool:
    """Whether a PNG has several frames.

    OpenCV 4.11 ends the process where one of those is damaged.

    Args:
        content (bytes): A PNG.

    Returns:
        bool: By the chunk ``acTL`` in front of the pixels.
    """
    return content.find(b'acTL', 0, content.find(b'IDAT')) > 0


def jpeg_components(content: bytes) -> int:
    """Number of components of a JPEG: 1 grey, 3 colour, 4 CMYK.

    Args:
        content (bytes): The file.

    Returns:
        int: 0 if its header is damaged.
    """
    frame = jpeg_frame(content)
    return frame.num_components if frame else 0
