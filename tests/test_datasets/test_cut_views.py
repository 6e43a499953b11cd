"""Views and where they lie."""

import numpy as np
import pytest

from mmselfemd.datasets import CutViews
from mmselfemd.datasets.transforms.cut_views import cut_view


def gradient_image(height=120, width=160):
    """Column in the first channel, row in the second."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def cut(**kwargs):
    views = [dict(size=size, photometric=[]) for size in (64, 64, 32)]
    return CutViews(views, **kwargs)(dict(img=gradient_image()))


def test_geometry_says_where_each_pixel_came_from():
    for _ in range(20):
        results = cut()
        for image, view in zip(results['img'], results['views'], strict=True):
            size = view['size']
            assert image.shape == (size, size, 3)
            left, top, width, height = view['box']
            assert 0 <= left and left + width <= 160
            assert 0 <= top and top + height <= 120
            x = left + (np.arange(size) + 0.5) / size * width - 0.5
            y = top + (np.arange(size) + 0.5) / size * height - 0.5
            x = x[::-1] if view['flip'] else x
            inner = slice(4, -4)  # the filter is cut off at the borders
            assert image[size // 2, inner, 0] == pytest.approx(
                x[inner], abs=1.01
            )
            assert image[inner, size // 2, 1] == pytest.approx(
                y[inner], abs=1.01
            )


def test_crops_cover_the_range_and_flips_happen():
    views = [view for _ in range(300) for view in cut()['views']]
    shares = np.array([v['box'][2] * v['box'][3] for v in views]) / 160 / 120
    assert 0.07 < shares.min() < 0.12 and 0.8 < shares.max() <= 1
    ratios = np.array([v['box'][2] / v['box'][3] for v in views])
    assert 0.7 < ratios.min() < 0.8 and 1.25 < ratios.max() < 1.4
    assert 0.4 < np.mean([v['flip'] for v in views]) < 0.6
    assert len({v['box'] for v in views}) > 800


def test_photometric_is_applied_per_view():
    views = [
        dict(size=64, photometric=[]),
        dict(
            size=64,
            photometric=[dict(type='mmpretrain.Solarize', thr=0, prob=1.0)],
        ),
    ]
    plain, solarised = CutViews(
        views, scale=(1, 1), ratio=(1.3334, 1.3334), flip_prob=0
    )(dict(img=gradient_image()))['img']
    assert np.array_equal(plain, 255 - solarised)


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    view = cut_view(stripes, (0, 0, 256, 256), False, 64)
    assert view[:, 8:-8].std() < 10
