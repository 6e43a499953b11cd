"""The pyramid of Sec. 3.3."""

import pytest
import torch

from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding


def pyramid(feature_map, **kwargs):
    return SPCNeck(**kwargs).pyramid(feature_map)


@pytest.mark.parametrize('side, nodes', [(7, 49 + 25 + 9), (4, 16 + 4)])
def test_numbers_of_nodes(side, nodes):
    assert pyramid(torch.rand(2, 5, side, side)).shape == (2, nodes, 5)


def test_nodes_are_window_means_in_order():
    feature_map = torch.rand(1, 3, 7, 7)
    nodes = pyramid(feature_map)[0]
    expected = [feature_map[0, :, i, j] for i in range(7) for j in range(7)]
    for stride, side in ((1, 5), (2, 3)):
        expected += [
            feature_map[
                0, :, stride * i : stride * i + 3, stride * j : stride * j + 3
            ].mean((1, 2))
            for i in range(side)
            for j in range(side)
        ]
    assert torch.allclose(nodes, torch.stack(expected), atol=1e-6)


def test_a_pool_that_leaves_a_border_out_is_dropped():
    feature_map = torch.rand(1, 3, 6, 6)  # stride 2 would end at row 5 of 6
    assert pyramid(feature_map, pools=[(3, 2)]).shape[1] == 36
    assert pyramid(feature_map, pools=[(2, 2)]).shape[1] == 36 + 9


def test_vector_passes_and_node_vectors_are_pooled_alike():
    maps, vector = torch.rand(2, 3, 7, 7), torch.rand(2, 3)
    out = SPCNeck()(Embedding(maps, vector, 2 * maps))
    assert out.vector is vector
    assert torch.allclose(out.node_vectors, 2 * out.nodes)
    assert SPCNeck()(Embedding(maps, vector)).node_vectors is None
