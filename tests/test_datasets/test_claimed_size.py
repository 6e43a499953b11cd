"""A damaged header takes no memory: it is refused before it is decoded."""

import struct
import zlib
from io import BytesIO

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets import LoadImage
from mmselfemd.datasets.pictures import open_picture
from mmselfemd.datasets.shrinking import shrink
from mmselfemd.datasets.transforms.claimed_size import header_fault
from mmselfemd.datasets.transforms.encoded_image import (
    BrokenImageError,
    decode_image,
)


def texture(width=48, height=32):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def encoded(kind, image=None, **kwargs):
    buffer = BytesIO()
    (image or texture()).save(buffer, kind, **kwargs)
    return buffer.getvalue()


def changed(content, start, new):
    return content[:start] + new + content[start + len(new) :]


def jpeg(width, height):
    content = encoded('JPEG')
    frame = content.index(b'\xff\xc0')
    return changed(content, frame + 5, struct.pack('>HH', height, width))


def jpeg_2000(**kwargs):
    def make(width, height):
        content = encoded('JPEG2000', **kwargs)
        start = content.index(b'\xff\x4f\xff\x51')
        return changed(content, start + 8, struct.pack('>II', width, height))

    return make


def gif(width, height):
    return changed(encoded('GIF'), 6, struct.pack('<HH', width, height))


def png(width, height):
    """With a checksum that fits the claim."""
    content = changed(encoded('PNG'), 16, struct.pack('>II', width, height))
    checksum = zlib.crc32(content[12:29])
    return changed(content, 29, struct.pack('>I', checksum))


def bmp(width, height):
    return changed(encoded('BMP'), 18, struct.pack('<ii', width, height))


def bmp_of_os2(width, height):
    header = struct.pack('<IHHHH', 12, width, height, 1, 24)
    return b'BM' + struct.pack('<IHHI', 100, 0, 0, 26) + header + b'\0' * 74


def lossy_webp(width, height):
    content = encoded('WEBP')
    assert content[12:16] == b'VP8 ' and width < 1 << 14 > height
    return changed(content, 26, struct.pack('<HH', width, height))


def lossless_webp(width, height):
    content = encoded('WEBP', lossless=True)
    assert content[12:16] == b'VP8L' and width <= 1 << 14 >= height
    both = width - 1 | (height - 1) << 14
    return changed(content, 21, struct.pack('<I', both))


def webp_with_alpha(width, height):
    image = texture()
    image.putalpha(Image.linear_gradient('L').resize(image.size))
    content = encoded('WEBP', image)
    assert content[12:16] == b'VP8X'
    sides = (side - 1 for side in (width, height))
    return changed(
        content, 24, b''.join(s.to_bytes(3, 'little') for s in sides)
    )


def tiff(order, is_big, compression, bits=(8, 8, 8)):
    """A TIFF of one directory, with hardly a pixel behind it."""

    def make(width, height):
        word, count, size = ('Q', 'Q', 8) if is_big else ('I', 'H', 4)
        tags = {256: [width], 257: [height], 258: bits, 259: [compression]}
        start = 16 if is_big else 8
        more = start + len(struct.pack(order + count, 0))
        more += len(tags) * (4 + 2 * size) + size
        directory, values = struct.pack(order + count, len(tags)), b''
        for tag, numbers in tags.items():
            kind, letter = (3, 'H') if tag == 258 else (4, 'I')
            value = struct.pack(f'{order}{len(numbers)}{letter}', *numbers)
            if len(value) > size:
                values, value = value, struct.pack(order + word, more)
            directory += struct.pack(
                f'{order}HH{word}', tag, kind, len(numbers)
            ) + value.ljust(size, b'\0')
        directory += struct.pack(order + word, 0)
        mark = b'II' if order == '<' else b'MM'
        header = mark + struct.pack(order + 'H', 43 if is_big else 42)
        if is_big:
            header += struct.pack(order + 'HH', 8, 0)
        header += struct.pack(order + word, start)
        return header + directory + values + b'\0' * 64

    return make


CLAIMS = dict(
    jpeg=jpeg,
    jpeg_2000=jpeg_2000(),
    jpeg_2000_alone=jpeg_2000(no_jp2=True),
    gif=gif,
    png=png,
    bmp=bmp,
    bmp_upside_down=lambda width, height: bmp(width, -height),
    bmp_of_os2=bmp_of_os2,
    lossy_webp=lossy_webp,
    lossless_webp=lossless_webp,
    webp_with_alpha=webp_with_alpha,
    tiff=tiff('<', False, 1),
    tiff_big_endian=tiff('>', False, 1),
    tiff_of_one_band=tiff('<', False, 1, (16,)),
    tiff_lzw=tiff('<', False, 5),
    tiff_deflate=tiff('>', False, 8),
    tiff_packbits=tiff('<', False, 32773),
    tiff_jpeg=tiff('<', False, 7),
    tiff_fax=tiff('<', False, 4, (1,)),
    tiff_zstd=tiff('<', False, 50000),
    big_tiff=tiff('<', True, 5),
    big_tiff_big_endian=tiff('>', True, 1),
)


@pytest.fixture
def no_decoder(monkeypatch):
    """Decoding, which would allocate, is an error."""

    def fail(*args, **kwargs):
        pytest.fail('it was decoded')

    monkeypatch.setattr(mmcv, 'imfrombytes', fail)
    monkeypatch.setattr(cv2, 'imdecode', fail)
    monkeypatch.setattr(Image, 'open', fail)


@pytest.mark.parametrize('kind', CLAIMS)
def test_an_enormous_claim_is_refused_undecoded(kind, no_decoder):
    content = CLAIMS[kind](16000, 15900)  # within OpenCV's own limit
    with pytest.raises(BrokenImageError) as error:
        decode_image(content)
    assert '16000 x 15900' in str(error.value)
    assert f'{len(content)} bytes' in str(error.value)
    with pytest.raises(BrokenImageError, match='16000 x 15900'):
        shrink(content, 100)


@pytest.mark.parametrize('lazy', [False, True])
@pytest.mark.parametrize('kind', CLAIMS)
def test_the_image_is_skipped_and_named(
    tmp_path, logged, no_decoder, kind, lazy
):
    (tmp_path / 'image.png').write_bytes(CLAIMS[kind](16000, 15900))
    load = LoadImage(lazy=lazy)
    assert load(dict(img_path=str(tmp_path / 'image.png'))) is None
    assert load.broken.num_broken == 1 and len(logged) == 1
    assert 'image.png' in logged[0] and '16000 x 15900' in logged[0]


@pytest.mark.parametrize('kind', CLAIMS)
def test_what_a_file_may_hold_is_left_to_the_decoder(kind):
    assert header_fault(CLAIMS[kind](48, 32)) is None
    # 50 MB at most, for which nobody need guess.
    assert header_fault(CLAIMS[kind](4096, 4096)) is None
    assert header_fault(CLAIMS[kind](4096, 4096) + b'\0' * 10000) is None


@pytest.mark.parametrize('kind', CLAIMS)
def test_a_header_that_ends_early_is_left_to_the_decoder(kind):
    content = CLAIMS[kind](16000, 15900)
    for length in range(0, min(len(content), 200)):
        header_fault(content[:length])  # raises nothing
    assert header_fault(content[:9]) is None


@pytest.mark.parametrize('place', [16, 19, 20, 23, 24, 25, 28, 29, 32])
def test_a_damaged_header_of_a_png_is_told_by_its_checksum(place, no_decoder):
    content = encoded('PNG')
    damaged = changed(content, place, bytes([content[place] ^ 4]))
    with pytest.raises(BrokenImageError, match='checksum of IHDR'):
        decode_image(damaged)
    assert header_fault(content) is None


def blank(mode, size=(6000, 4000)):
    return Image.new(mode, size)


BLANK = {
    'jpeg': ('JPEG', blank('L'), {}),
    'gif': ('GIF', blank('L'), {}),
    'png': ('PNG', blank('L'), {}),
    'png_of_one_bit': ('PNG', blank('1', (8000, 6000)), {}),
    'bmp': ('BMP', blank('L'), {}),
    'bmp_of_one_bit': ('BMP', blank('1', (8000, 6000)), {}),
    'webp': ('WEBP', blank('RGB'), dict(method=0)),
    **{
        compression: ('TIFF', blank('L'), dict(compression=compression))
        for compression in (
            *('raw', 'tiff_lzw', 'tiff_adobe_deflate', 'packbits'),
            *('jpeg', 'zstd'),
        )
    },
    'group4': ('TIFF', blank('1', (8000, 6000)), dict(compression='group4')),
}


@pytest.mark.parametrize('kind', BLANK)
def test_the_smallest_files_that_there_can_be_are_let_through(kind):
    """Large pictures of one colour: no photograph is that small."""
    name, image, kwargs = BLANK[kind]
    content = encoded(name, image, **kwargs)
    assert header_fault(content) is None


def test_tiles_count_in_what_a_tiff_claims(no_decoder):
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    content = BytesIO()
    tifffile.imwrite(
        content, np.zeros((32, 48), np.uint16), tile=(16, 16), photometric=1
    )
    content = content.getvalue()
    assert header_fault(content) is None
    for tag in (322, 323):
        place = content.index(struct.pack('<H', tag))
        content = changed(content, place + 8, struct.pack('<H', 60000))
    assert '60000 x 60000' in header_fault(content)


def test_bands_count_in_what_a_tiff_claims(no_decoder):
    content = BytesIO()
    pixels = np.zeros((32, 48, 60), np.uint16)
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    tifffile.imwrite(
        content,
        pixels,
        photometric='minisblack',
        planarconfig='contig',
        compression='zlib',
    )
    content = content.getvalue()
    assert header_fault(content) is None
    for tag in (256, 257):  # both are of one LONG, or of one SHORT
        place = content.index(struct.pack('<H', tag))
        content = changed(content, place + 8, struct.pack('<H', 4000))
    with pytest.raises(BrokenImageError, match='4000 x 4000.*60 bands'):
        open_picture(content)


def test_other_files_are_left_alone():
    for content in (
        b'',
        b'BM',
        b'no image',
        b'RIFF1234WAVE',
        encoded('PPM'),
    ):
        assert header_fault(content) is None
        assert header_fault(memoryview(content)) is None
