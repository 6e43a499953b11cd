"""Large files made small, once."""

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.shrinking import (
    BYTES_PER_PIXEL,
    reduce_image,
    reduction_for,
    shrink,
    shrunk_pixels,
)
from mmselfemd.datasets.transforms.encoded_image import decode_image


def encoded(kind, size):
    """Soft noise, so that the file is large."""
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(cv2.blur(noise, (5, 5))).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    'size, reduction',
    [((127, 999), 1), ((128, 128), 2), ((900, 256), 4), ((9000, 9000), 8)],
)
def test_the_shorter_side_keeps_its_pixels(size, reduction):
    assert reduction_for(size, 64) == reduction


def test_what_counts_as_large():
    for kind in ('PNG', 'JPEG'):
        assert shrunk_pixels(encoded(kind, (128, 130)), 64) == 64 * 65
        assert shrunk_pixels(encoded(kind, (127, 500)), 64) == 0
    assert shrunk_pixels(b'no image', 64) == 0


def test_more_pixels_than_pillow_opens():
    """Still the shorter side counts."""
    file = BytesIO()
    Image.new('1', (30_000, 2_000)).save(file, 'PNG')
    limit = 30_000 * 2_000 // 3  # Pillow raises at twice its limit
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
    try:
        assert shrunk_pixels(file.getvalue(), 1024) == 0
        assert shrunk_pixels(file.getvalue(), 500) == 7_500 * 500
        assert Image.MAX_IMAGE_PIXELS == limit
    finally:
        Image.MAX_IMAGE_PIXELS = before


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_how_large_it_becomes_is_known_before(kind):
    content = encoded(kind, (301, 402))
    reduced, reduction = reduce_image(content, 64)
    assert reduction == 4
    height, width = decode_image(reduced).shape[:2]
    assert (height, width) == (75, 100)
    # The last row and column would be a part of a pixel.
    assert 0 <= shrunk_pixels(content, 64) - height * width < height + width
    assert len(reduced) < 4 * BYTES_PER_PIXEL * height * width


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_small_ones_are_left_alone(kind):
    content = encoded(kind, (127, 402))
    assert reduce_image(content, 64) == (content, 1)
    assert shrink(content, 127) == content


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_to_a_shorter_side_of_any_length(kind):
    small = decode_image(shrink(encoded(kind, (301, 402)), 100))
    assert small.shape == (100, 134, 3)
