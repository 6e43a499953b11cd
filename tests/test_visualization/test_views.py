"""Boxes of views on their image."""

import numpy as np
import pytest

from mmselfemd.visualization import draw_views, to_image


def picture(height, width):
    return np.random.default_rng(0).integers(
        0, 256, (height, width, 3), np.uint8
    )


VIEWS = [
    dict(box=(10, 20, 100, 50), flip=False, size=224),
    dict(box=(0, 0, 300, 200), flip=True, size=112),
]


def test_boxes_and_views_are_those_given():
    crops = [picture(224, 224), picture(112, 112)]
    figure = draw_views(picture(200, 300), VIEWS, crops, 'A title')
    source, first, second = figure.axes
    boxes = [patch.get_bbox().bounds for patch in source.patches[1::2]]
    np.testing.assert_allclose(
        boxes, [(9.5, 19.5, 100, 50), (-0.5, -0.5, 300, 200)]
    )
    for axes, crop in zip((first, second), crops, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), crop)
    assert first.get_title() == 'View 1: 224 x 224, not flipped'
    assert second.get_title() == 'View 2: 112 x 112, flipped'
    # At one scale, and each in the colour of its box.
    assert first.get_xlim() == second.get_xlim()
    colours = [axes.patches[-1].get_edgecolor() for axes in (first, second)]
    assert colours == [p.get_edgecolor() for p in source.patches[1::2]]
    assert colours[0] != colours[1]


def test_the_name_of_an_image_is_no_mathematics():
    name = 'Image 3: $9_and_$x^{.jpg'
    figure = draw_views(picture(9, 9), VIEWS, [picture(9, 9)] * 2, name)
    to_image(figure)
    assert not figure._suptitle.get_parse_math()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(views=[]), 'one length'),
        (dict(crops=[picture(9, 9)]), 'got 2 and 1'),
        (dict(image=picture(9, 9) / 255), 'image must be an RGB image'),
        (dict(crops=[picture(9, 9), None]), r'crops\[1\] must be'),
    ],
)
def test_bad_views_are_refused(changes, message):
    arguments = dict(
        image=picture(9, 9), views=VIEWS, crops=[picture(9, 9)] * 2
    )
    with pytest.raises(ValueError, match=message):
        draw_views(**(arguments | changes))
