"""Large files made small, once."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

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
