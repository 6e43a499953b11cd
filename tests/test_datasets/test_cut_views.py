"""Views and where they lie."""

import cv2
import numpy as np
import pytest

from mmselfemd.datasets import CutViews
from mmselfemd.datasets.transforms.cut_views import _on_grid, cut_view


def gradient_image(height=120, width=160):
    """Column in the first channel, row in the second."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


@pytest.fixture(params=['pillow', 'torch'])
def backend(request):
    return request.param


def cut(**kwargs):
    views = [dict(size=size, photometric=[]) for size in (64, 64, 32)]
    return CutViews(views, **kwargs)(dict(img=gradient_image()))


def test_geometry_says_where_each_pixel_came_from(backend):
    for _ in range(20):
        results = cut(backend=backend)
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


def test_views_of_an_image_are_flipped_one_by_one():
    flips = [[view['flip'] for view in cut()['views']] for _ in range(400)]
    first, second, third = np.transpose(flips)
    for one, other in ((first, second), (first, third), (second, third)):
        assert 0.4 < np.mean(one == other) < 0.6


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


def test_shrinking_does_not_alias(backend):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    view = cut_view(stripes, (0, 0, 256, 256), False, 64, backend)
    assert view[:, 8:-8].std() < 10


@pytest.mark.parametrize('size', [16, 100, 224])
@pytest.mark.parametrize('flip', [False, True])
def test_both_backends_are_apart_by_rounding(size, flip):
    image = np.random.randint(0, 256, (30, 40, 3), np.uint8)
    image = cv2.resize(image, (400, 300), interpolation=cv2.INTER_CUBIC)
    box = (31, 17, 301, 263)
    first, second = (
        cut_view(image, box, flip, size, each).astype(int)
        for each in ('pillow', 'torch')
    )
    apart = np.abs(first - second)
    assert apart.max() <= 2 and apart.mean() < 0.1


def test_a_view_by_torch_is_packed_without_a_copy():
    view = cut_view(gradient_image(), (0, 0, 90, 90), True, 64, 'torch')
    assert view.transpose(2, 0, 1).flags.c_contiguous


def test_an_unknown_backend_is_named():
    with pytest.raises(ValueError, match="'torch', but got 'cv2'"):
        cut(backend='cv2')


def test_no_crop_of_the_least_side_is_enlarged():
    shape = dict(scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    views = [dict(size=size, photometric=[]) for size in (40, 20)]
    transform = CutViews(views, **shape)
    assert transform.least_side == 164  # 40 / sqrt(0.08 * 3 / 4) = 163.3
    image = gradient_image(164, 164)
    np.random.seed(0)
    sides = [
        min(view['box'][2:])
        for _ in range(2000)
        for view in transform(dict(img=image))['views'][:1]
    ]
    assert 40 <= min(sides) <= 42


@pytest.mark.parametrize('reduction', [2, 4, 8])
def test_a_crop_of_a_reduced_image_is_the_largest_within_what_was_drawn(
    reduction,
):
    for box in np.random.randint(20, 60, (200, 4)):
        found = reduction * np.array(_on_grid(tuple(box), reduction))
        before = found[:2] - box[:2]
        after = box[:2] + box[2:] - (found[:2] + found[2:])
        for spare in (*before, *after):
            assert 0 <= spare < reduction
