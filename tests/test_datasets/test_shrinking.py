"""Large files made small, once."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.shrinking import shrink
from mmselfemd.datasets.transforms.encoded_image import decode_image


def encoded(kind, size):
    """Soft noise, so that the file is large."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(cv2.blur(noise, (5, 5))).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
@pytest.mark.parametrize(
    'size, shrunk',
    [
        ((128, 131), (64, 65)),  # a last column would be a part of a pixel
        ((301, 402), (75, 100)),
        ((260, 900), (65, 225)),
        ((1100, 600), (137, 75)),
    ],
)
def test_the_shorter_side_keeps_its_pixels(size, shrunk, kind):
    reduced, reduction = shrink(encoded(kind, size), 64)
    assert decode_image(reduced).shape[:2] == shrunk
    assert reduction == size[0] // shrunk[0]


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_small_ones_are_left_alone(kind):
    content = encoded(kind, (127, 402))
    assert shrink(content, 64) == (content, 1)
    assert shrink(content, 127, exactly=True) == (content, 1)
    assert shrink(b'no image', 64) == (b'no image', 1)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_to_a_shorter_side_of_any_length(kind):
    content = encoded(kind, (301, 402))
    shrunk, factor = shrink(content, 100, exactly=True)
    assert decode_image(shrunk).shape == (100, 134, 3)
    assert factor == 3.01


def test_more_pixels_than_pillow_opens():
    """Still the shorter side counts."""
    file = BytesIO()
    Image.new('1', (30_000, 2_000)).save(file, 'PNG')
    limit = 30_000 * 2_000 // 3  # Pillow raises at twice its limit
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
    try:
        assert shrink(file.getvalue(), 1024) == (file.getvalue(), 1)
        assert shrink(file.getvalue(), 500)[1] == 4
        assert Image.MAX_IMAGE_PIXELS == limit
    finally:
        Image.MAX_IMAGE_PIXELS = before


def deep(low, high, kind='.png'):
    """Grey of 16 bits, darkest at the left."""
    row = np.linspace(low, high, 300).round().astype(np.uint16)
    return cv2.imencode(kind, np.tile(row, (200, 1)))[1].tobytes()


def test_16_bits_are_shrunk_by_their_range_or_left_alone():
    content = deep(29000, 31000)
    for exactly in (False, True):  # as a database of images asks for it
        assert shrink(content, 100, exactly) == (content, 1)
    mapping = ValueMapping((29000, 31000))
    shrunk, reduction = shrink(content, 100, mapping=mapping)
    found = decode_image(shrunk)
    assert reduction == 2 and found.shape == (100, 150, 3)
    expected = np.linspace(0, 255, 150)[None, :, None]
    assert np.abs(found - expected).mean() < 2


@pytest.mark.parametrize('name', ['HEIC', 'TIFF'])
def test_kinds_that_pillow_does_not_open_are_shrunk_too(name):
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    soft, file = cv2.blur(noise, (33, 33)), BytesIO()
    if name == 'HEIC':
        pillow_heif = pytest.importorskip(
            'pillow_heif', reason='needs the extra images'
        )
        pillow_heif.from_pillow(Image.fromarray(soft)).save(file, quality=95)
    else:
        tifffile = pytest.importorskip(
            'tifffile', reason='needs the extra images'
        )
        tifffile.imwrite(file, soft.astype(np.uint16) * 257, photometric='rgb')
    content = file.getvalue()
    mapping = ValueMapping()
    shrunk, reduction = shrink(content, 64, mapping=mapping)
    assert reduction == 4
    expected = cv2.resize(
        mapping.read(content), (64, 64), interpolation=cv2.INTER_AREA
    )
    difference = np.abs(decode_image(shrunk).astype(int) - expected)
    assert difference.mean() < 3
