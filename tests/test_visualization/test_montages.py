"""A montage beside the weights of its labels."""

import numpy as np
import pytest

from mmselfemd.visualization import draw_montage, to_image

REGIONS = [(0, 0, 32, 32), (32, 0, 80, 32), (0, 32, 32, 80), (32, 32, 80, 80)]
NAMES = ['cat', 'bus', 'man', 'background']
WEIGHTS = (
    np.random.default_rng(0).dirichlet([1] * 4, (7, 7)).transpose(2, 0, 1)
)
MONTAGE = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)


def test_regions_names_and_weights_are_those_given():
    figure = draw_montage(MONTAGE, REGIONS, NAMES, WEIGHTS, 'A title')
    montage, *maps = figure.axes
    np.testing.assert_array_equal(montage.images[0].get_array(), MONTAGE)
    frames = [patch.get_bbox().bounds for patch in montage.patches[1::2]]
    np.testing.assert_allclose(
        frames, [(x - 0.5, y - 0.5, w, h) for x, y, w, h in REGIONS]
    )
    assert [text.get_text() for text in montage.texts] == NAMES
    titles = [axes.get_title() for axes in maps]
    places = ['upper left', 'upper right', 'lower left', 'lower right']
    assert titles == [f'{p}: {n}' for p, n in zip(places, NAMES, strict=True)]
    for axes, values in zip(maps, WEIGHTS, strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), values)
        assert axes.images[0].get_clim() == (0, 1)
        shown = [float(text.get_text()) for text in axes.texts]
        np.testing.assert_allclose(shown, values.ravel(), atol=0.0051)


def test_names_of_classes_and_files_are_no_mathematics():
    names = ['$1_coin$', '$1^{coin$', 'a', 'b']
    figure = draw_montage(MONTAGE, REGIONS, names, WEIGHTS, 'of $x^{$.pth')
    to_image(figure)
    montage, first, *_ = figure.axes
    texts = [figure._suptitle, montage.texts[0], first.title]
    assert not any(text.get_parse_math() for text in texts)


def test_maps_of_many_positions_have_no_numbers():
    weights = np.full((4, 14, 14), 0.25)
    figure = draw_montage(MONTAGE, REGIONS, NAMES, weights)
    assert not any(axes.texts for axes in figure.axes[1:])


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='four each, but got 4, 3 and 4'):
        draw_montage(MONTAGE, REGIONS, NAMES[:3], WEIGHTS)
    with pytest.raises(ValueError, match='must be an RGB image'):
        draw_montage(MONTAGE / 255, REGIONS, NAMES, WEIGHTS)
