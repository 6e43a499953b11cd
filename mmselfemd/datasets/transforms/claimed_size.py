"""Damaged headers, found before memory is taken for what they claim.

A decoder allocates what a header says, and then finds that the file ends
early: gigabytes and seconds for a file of some kB, each time it is drawn.
"""

import struct
import zlib
from collections.abc import Callable

from .jpeg_frame import jpeg_frame

# 50 MB as BGR. So many may be decoded whatever the length of the file: small
# ones of one colour take hardly a byte.
_FREE_PIXELS = 1 << 24

# Bytes of pixels that a byte of the file can hold at most.
_DEFLATE = 1032  # 258 for each two bits
_GIF = 2731  # 4096 for 12 bits
_RUN_LENGTH = 128
_TIFF_COMPRESSIONS = {
    1: 1,  # none
    5: 1400,  # LZW
    8: _DEFLATE,
    32946: _DEFLATE,
    32773: _RUN_LENGTH,  # PackBits
}
_TIFF_FAX = {2, 3, 4}  # of one bit; a blank row may be one, too
_TIFF_JPEG = {6, 7}
_OTHER_TIFF = 1 << 16  # Zstandard, the best of them

# Pixels: WebP with loss spends 0.4 bytes on 256 of them, JPEG 1.5, even if all
# are of one colour. WebP without loss and JPEG 2000 spend nothing on those,
# but no photograph is of one colour.
_PHOTOGRAPH = 1000

_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_COMPRESSION = 256, 257, 258, 259
_TIFF_BANDS, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 277, 322, 323
_TIFF_READ = {
    *(_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_COMPRESSION),
    *(_TIFF_BANDS, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT),
}
_TIFF_NUMBERS = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}  # by the type of a tag

# With so many bands, a picture of many is still one to look at.
_MOST_COLOURS = 4

#: Width, height, bands that are stored one by one, and how many pixels, or
#: values of those bands, a byte of the file can hold.
Claim = tuple[int, int, int, float]


def header_fault(content: bytes) -> str | None:
    """Say what is wrong with the header of a picture.

    JPEG, JPEG 2000, PNG, WebP, TIFF, BMP and GIF are looked at.

    Args:
        content (bytes): The file.

    Returns:
        str | None: That the checksum of a PNG's header is wrong, or that the
        file is far too short for the pixels that its header claims. None if
        there is no such fault, or it is a file of another kind; what else is
        wrong with it shows when it is decoded.
    """
    starts = (s for s in _CLAIMS if content[: len(s)] == s)
    start = next(starts, None)
    if start is None:
        return None
    if start == _PNG and _has_wrong_checksum(content):
        return 'its header is damaged (the checksum of IHDR is wrong)'
    try:
        claim = _CLAIMS[start](content)
    except (struct.error, OverflowError):
        return None  # it ends within its header, or points beyond its end
    if claim is None:
        return None
    width, height, bands, limit = claim
    free = _FREE_PIXELS * min(bands, _MOST_COLOURS)
    if width * height * bands <= max(free, limit * len(content)):
        return None
    each = f' of {bands} bands' if bands > _MOST_COLOURS else ''
    return (
        f'its header claims {width} x {height} pixels{each}, which '
        f'{len(content)} bytes of a photograph cannot hold'
    )


def _has_wrong_checksum(content: bytes) -> bool:
    if content[12:16] != b'IHDR' or len(content) < 33:
        return False
    (checksum,) = struct.unpack_from('>I', content, 29)
    return zlib.crc32(content[12:29]) != checksum


def _jpeg_claim(content: bytes) -> Claim | None:
    frame = jpeg_frame(content)
    return frame and (frame.width, frame.height, 1, _PHOTOGRAPH)


def _png_claim(content: bytes) -> Claim | None:
    if content[12:16] != b'IHDR':
        return None
    width, height, bits = struct.unpack_from('>IIB', content, 16)
    return width, height, 1, _DEFLATE * 8 / max(bits, 1)


def _gif_claim(content: bytes) -> Claim | None:
    width, height = struct.unpack_from('<HH', content, 6)
    return width, height, 1, _GIF


def _jpeg_2000_claim(content: bytes) -> Claim | None:
    start = bytes(content).find(_CODESTREAM)
    if start < 0:
        return None
    right, bottom, left, top = struct.unpack_from('>4I', content, start + 8)
    return max(right - left, 0), max(bottom - top, 0), 1, _PHOTOGRAPH


def _bmp_claim(content: bytes) -> Claim | None:
    (header_size,) = struct.unpack_from('<I', content, 14)
    if header_size == 12:  # of OS/2
        width, height, _, bits = struct.unpack_from('<HHHH', content, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from(
            '<iiHHI', content, 18
        )
    run_length = _RUN_LENGTH if compression in (1, 2) else 1
    return abs(width), abs(height), 1, run_length * 8 / max(bits, 1)


def _webp_claim(content: bytes) -> Claim | None:
    if content[8:12] != b'WEBP':
        return None
    kind = content[12:16]
    if kind == b'VP8X':  # 24 bits each, less one
        width = 1 + int.from_bytes(content[24:27], 'little')
        height = 1 + int.from_bytes(content[27:30], 'little')
    elif kind == b'VP8 ':
        width, height = struct.unpack_from('<HH', content, 26)
        width, height = width & 0x3FFF, height & 0x3FFF
    elif kind == b'VP8L':  # 14 bits each, less one
        (both,) = struct.unpack_from('<I', content, 21)
        width, height = 1 + (both & 0x3FFF), 1 + (both >> 14 & 0x3FFF)
    else:
        return None
    return width, height, 1, _PHOTOGRAPH


def _tiff_claim(content: bytes) -> Claim | None:
    tags = _tiff_tags(content)
    if not {_TIFF_WIDTH, _TIFF_HEIGHT} <= tags.keys():
        return None
    width = max(tags[_TIFF_WIDTH], tags.get(_TIFF_TILE_WIDTH, 0))
    height = max(tags[_TIFF_HEIGHT], tags.get(_TIFF_TILE_HEIGHT, 0))
    compression = tags.get(_TIFF_COMPRESSION, 1)
    if compression in _TIFF_FAX:
        return width, height, 1, 8 * width
    if compression in _TIFF_JPEG:
        return width, height, 1, _PHOTOGRAPH
    ratio = _TIFF_COMPRESSIONS.get(compression, _OTHER_TIFF)
    bands = max(tags.get(_TIFF_BANDS, 1), 1)
    return width, height, bands, ratio * 8 / max(tags.get(_TIFF_BITS, 1), 1)


def _tiff_tags(content: bytes) -> dict[int, int]:
    """The tags up to the last one needed, of each its first whole number.

    Not by Pillow, which takes a big-endian BigTIFF for a plain TIFF.
    """
    order = '<' if content[:1] == b'I' else '>'
    is_big = 43 in content[2:4]
    word, count, room = ('Q', 'Q', 8) if is_big else ('I', 'H', 4)
    (start,) = struct.unpack_from(order + word, content, room)
    (number,) = struct.unpack_from(order + count, content, start)
    start += struct.calcsize(order + count)
    tags = {}
    for _ in range(number):
        tag, kind, length = struct.unpack_from(
            f'{order}HH{word}', content, start
        )
        if tag > _TIFF_TILE_HEIGHT:
            break  # they are in order
        number_format = _TIFF_NUMBERS.get(kind)
        if number_format and tag in _TIFF_READ:
            number_format = order + number_format
            place = start + 4 + room
            if length * struct.calcsize(number_format) > room:
                (place,) = struct.unpack_from(order + word, content, place)
            (tags[tag],) = struct.unpack_from(number_format, content, place)
        start += 4 + 2 * room
    return tags


_PNG = b'\x89PNG\r\n\x1a\n'
_CODESTREAM = b'\xff\x4f\xff\x51'  # of JPEG 2000, and its sizes
_CLAIMS: dict[bytes, Callable[[bytes], Claim | None]] = {
    b'\xff\xd8': _jpeg_claim,
    _PNG: _png_claim,
    b'BM': _bmp_claim,
    b'GIF8': _gif_claim,
    b'\0\0\0\x0cjP  ': _jpeg_2000_claim,
    _CODESTREAM: _jpeg_2000_claim,
    b'RIFF': _webp_claim,
    b'II*\0': _tiff_claim,
    b'MM\0*': _tiff_claim,
    b'II+\0': _tiff_claim,  # BigTIFF
    b'MM\0+': _tiff_claim,
}
