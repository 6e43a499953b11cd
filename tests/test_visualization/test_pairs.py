"""From views and flows to what Fig. 5 shows."""

import cv2
import numpy as np
import pytest

from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.evaluation import correspondences, overlap
from mmselfemd.visualization import (
    draw_matching_figure,
    matching_pair,
    most_overlapping_pairs,
    read_rgb,
)
from mmselfemd.visualization.pairs import most_overlapping

FLOW = np.full((49, 49), 1 / 49**2)


def view(box, flip=False):
    return dict(box=box, flip=flip, size=224)


def photograph():
    """Grey, with one busy corner."""
    image = np.full((400, 400, 3), 128, np.uint8)
    image[40:90, 40:90] = np.random.default_rng(0).integers(
        0, 256, (50, 50, 3)
    )
    return image


def test_busy_places_that_both_crops_show_are_chosen():
    views = view((0, 0, 224, 224)), view((20, 10, 224, 224), flip=True)
    pair = matching_pair(photograph(), views, [FLOW, FLOW])
    x, y = pair.centres1[pair.positions[0]]
    assert 32 <= x <= 98 and 32 <= y <= 98
    # Pixel x of the image is 223 - (x - 20) of the mirrored second view.
    assert pair.targets[0] == pytest.approx((223 - (x - 20), y - 10))
    apart = np.abs(np.diff(pair.centres1[pair.positions], axis=0)).max()
    assert apart >= 64
    assert np.array_equal(pair.crop2, cut_view(photograph(), **views[1]))


def test_the_true_place_shows_the_same():
    image = np.random.default_rng(0).integers(0, 256, (25, 25, 3), np.uint8)
    image = np.kron(image, np.ones((16, 16, 1), np.uint8))  # 400 pixels
    views = view((0, 0, 224, 224)), view((20, 10, 224, 224), flip=True)
    pair = matching_pair(image, views, [FLOW], num_positions=4)
    for position, (x, y) in zip(pair.positions, pair.targets, strict=True):
        here = pair.crop1[tuple(pair.centres1[position].astype(int)[::-1])]
        there = pair.crop2[round(y), round(x)]
        assert np.abs(here.astype(int) - there).max() <= 1


def test_a_place_outside_crop_2_is_never_chosen():
    views = view((0, 0, 224, 224)), view((100, 100, 224, 224))
    pair = matching_pair(photograph(), views, [FLOW], num_positions=49)
    assert len(pair.positions) > 1
    assert (pair.centres1[pair.positions] >= 99).all()
    assert draw_matching_figure([pair], titles=['one']).axes


def test_views_apart_are_refused():
    views = view((0, 0, 100, 100)), view((200, 200, 100, 100))
    with pytest.raises(ValueError, match='no node of view 1 lies in view 2'):
        matching_pair(photograph(), views, [FLOW])


def test_all_positions_and_what_corresponds():
    views = view((0, 0, 224, 224)), view((100, 100, 224, 224), flip=True)
    pair = matching_pair(photograph(), views, [FLOW], num_positions=None)
    assert pair.positions == list(range(49))
    outside = (pair.centres1 < 99).any(1)
    assert [target is None for target in pair.targets] == outside.tolist()
    assert np.array_equal(pair.partners, correspondences(*views, 7))


def test_those_that_overlap_most_are_drawn(tmp_path):
    apart = view((0, 0, 100, 100)), view((200, 200, 100, 100))
    near = view((0, 0, 224, 224)), view((30, 0, 224, 224))
    same = view((10, 10, 224, 224)), view((10, 10, 224, 224), flip=True)
    flows = np.stack([FLOW * 1, FLOW * 2, FLOW * 3])
    path = str(tmp_path / 'photo.png')
    cv2.imwrite(path, photograph()[..., ::-1])
    images = [photograph(), photograph(), path]
    pairs = most_overlapping_pairs(images, [apart, near, same], [flows, flows])
    assert [round(p.flows[1][0, 0] * 49**2) for p in pairs] == [3, 2]
    assert np.array_equal(pairs[0].crop1, cut_view(photograph(), **same[0]))
    assert len(most_overlapping_pairs(images, [near] * 3, [flows], 1)) == 1
    with pytest.raises(ValueError, match='no node of a view 1'):
        most_overlapping_pairs(images, [apart] * 3, [flows])


def test_a_pair_that_shares_no_node_does_not_take_the_place_of_another():
    """It shares more, but a strip beyond the last node of its view 1."""
    strip = view((0, 0, 224, 224)), view((200, 0, 224, 224))
    small = view((0, 0, 224, 224)), view((80, 80, 40, 40))
    assert overlap(*strip) > overlap(*small)
    assert most_overlapping([strip, small], num_cells=7, num_pairs=1) == [1]


def test_what_is_no_image_is_named(tmp_path):
    for content, message in ((b'', 'empty'), (b'no image', 'decode')):
        (tmp_path / 'bad.jpg').write_bytes(content)
        with pytest.raises(ValueError, match=message):
            read_rgb(str(tmp_path / 'bad.jpg'))
    with pytest.raises(FileNotFoundError):
        read_rgb(str(tmp_path / 'absent.jpg'))
