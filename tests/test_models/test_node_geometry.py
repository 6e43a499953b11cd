"""Where the nodes of a view lie."""

import numpy as np
import pytest
import torch
from made_up_views import VIEWS, literal_partners
from mmpretrain.models import ResNet
from torchvision.ops import box_convert, box_iou

from mmselfemd.models.node_geometry import (
    correspondences,
    nodes_in_image,
    overlap,
    receptive_field_centres,
)

WHOLE = dict(box=(0, 0, 224, 224), flip=False, size=224)


def test_centres_are_those_of_a_real_network():
    """By the gradient of a node with respect to the pixels."""
    network = ResNet(18, base_channels=8, stem_channels=8, out_indices=(3,))
    for parameter in network.parameters():  # no sign, no dead ReLU
        parameter.data.abs_()
    network.eval()
    # Large enough that no border cuts the field of the node in the middle.
    image = torch.ones(1, 3, 640, 640, requires_grad=True)
    node = network(image)[0][0, :, 9, 10].sum()
    weight = torch.autograd.grad(node, image)[0][0].sum(0)
    at = torch.arange(640) + 0.5
    # Random kernels are lopsided, so the centre is only about there.
    centre = [(weight.sum(axis) * at).sum() / weight.sum() for axis in (0, 1)]
    expected = receptive_field_centres(20)[9 * 20 + 10]
    assert torch.stack(centre).numpy() == pytest.approx(expected, abs=4)


def test_box_and_flip_are_undone():
    view = dict(box=(10, 20, 112, 448), flip=False, size=224)
    nodes = nodes_in_image(view)
    assert nodes[0] == pytest.approx((10.25, 21.0))
    assert nodes[8] == pytest.approx((10 + 32.5 / 2, 20 + 65.0))
    mirrored = nodes_in_image(view | dict(flip=True))
    assert mirrored[:, 0] == pytest.approx(10 + 112 - (nodes[:, 0] - 10))
    assert mirrored[:, 1] == pytest.approx(nodes[:, 1])


def test_a_view_without_a_map_is_that_of_a_stride_of_32():
    for size in range(33, 230):  # 40: two cells, of which 20 is nearer to 16
        view = dict(box=(0, 0, size, size), flip=False, size=size)
        columns = nodes_in_image(view)[: -(-size // 32), 0]
        assert np.diff(columns) == pytest.approx(32), size


def test_cells_of_a_small_view_are_32_pixels_apart():
    view = dict(box=(0, 0, 112, 112), flip=False, size=112)
    columns = nodes_in_image(view, 4)[:4, 0]
    assert columns == pytest.approx([0.5, 32.5, 64.5, 96.5])


@pytest.mark.parametrize('views', [VIEWS[:2], VIEWS[1::-1]])
def test_views_correspond_within_a_cell_of_the_second(views):
    places = [nodes_in_image(view, 4) for view in views]
    cell = np.divide(views[1]['box'][2:], 4)
    expected = literal_partners(*places, cell)
    assert expected.any() and not expected.all()
    assert np.array_equal(correspondences(*views), expected)


def test_identical_views_correspond_on_the_diagonal_and_its_neighbours():
    partners = correspondences(WHOLE, WHOLE)
    assert partners.diagonal().all()
    assert partners[0].sum() == 4 and partners[24].sum() == 9


def test_a_flipped_view_corresponds_in_mirror_image():
    partners = correspondences(WHOLE, WHOLE | dict(flip=True)).reshape(
        7, 7, 7, 7
    )
    for column in range(7):
        # Cell c lies at 32 c and mirrored at 223 - 32 c: c meets 7 - c to a
        # pixel, and 6 - c within a cell.
        met = {int(c) for c in np.flatnonzero(partners[3, column, 3])}
        assert met == {c for c in (6 - column, 7 - column) if c < 7}


def test_views_apart_do_not_correspond():
    left = dict(box=(0, 0, 70, 70), flip=False, size=224)
    right = dict(box=(150, 0, 70, 70), flip=False, size=224)
    assert not correspondences(left, right).any()


def test_overlap_is_torchvisions_iou():
    generator = np.random.default_rng(0)
    for _ in range(50):
        corners = generator.integers(0, 50, (2, 2))
        sides = generator.integers(1, 60, (2, 2))
        boxes = np.concatenate([corners, sides], axis=1)
        expected = box_iou(
            *box_convert(torch.tensor(boxes).float(), 'xywh', 'xyxy')[:, None]
        )
        views = [dict(box=tuple(box)) for box in boxes]
        assert overlap(*views) == pytest.approx(expected.item(), rel=1e-5)
