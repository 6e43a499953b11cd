"""The projector, dense and pooled."""

import pytest
import torch

from mmselfemd.models import DenseProjectionNeck
from mmselfemd.models.norm_statistics import running_statistics
from mmselfemd.models.pointwise_mlp import PointwiseMLP

BN = dict(type='BN')


@pytest.fixture
def neck():
    return DenseProjectionNeck(6, 8, 4, norm_cfg=BN)


def test_shapes_and_which_branch_gets_which_gradient(neck):
    features = torch.rand(3, 6, 5, 5, requires_grad=True)
    out = neck((torch.rand(3, 2, 10, 10), features))
    assert out.nodes.shape == out.node_vectors.shape == (3, 4, 5, 5)
    assert out.vector.shape == (3, 4)
    assert not out.node_vectors.requires_grad
    out.nodes.sum().backward()
    assert neck.dense_projector.out.weight.grad is not None
    assert neck.vector_projector.out.weight.grad is None


def test_node_vectors_are_the_vector_branch_at_inference(neck):
    features = torch.rand(3, 6, 5, 5)
    neck((features,))  # moves the running statistics
    node_vectors = neck((features,)).node_vectors
    neck.eval()
    for position in ((0, 0), (2, 4)):
        alone = features[..., position[0], position[1]]
        expected = neck.vector_projector.on_vectors(alone)
        found = node_vectors[..., position[0], position[1]]
        assert torch.allclose(found, expected, atol=1e-6)


def test_running_statistics_follow_the_pooled_vectors_alone(neck):
    with_nodes = DenseProjectionNeck(6, 8, 4, norm_cfg=BN, node_vectors=True)
    without = DenseProjectionNeck(6, 8, 4, norm_cfg=BN, node_vectors=False)
    without.load_state_dict(with_nodes.state_dict())
    features = torch.rand(3, 6, 5, 5)
    assert without((features,)).node_vectors is None
    with_nodes((features,))
    for one, other in zip(
        with_nodes.buffers(), without.buffers(), strict=True
    ):
        assert torch.equal(one, other)


def test_mlp_is_the_same_on_maps_nodes_and_vectors():
    mlp = PointwiseMLP(6, 8, 4, BN).eval()
    maps = torch.rand(2, 6, 3, 3)
    on_map = mlp(maps).flatten(2).mT
    nodes = maps.flatten(2).mT
    assert torch.allclose(on_map, mlp.on_nodes(nodes), atol=1e-6)
    for n in range(9):
        assert torch.allclose(
            on_map[:, n], mlp.on_vectors(nodes[:, n]), atol=1e-6
        )


def test_frozen_restores_the_mode():
    mlp = PointwiseMLP(6, 8, 4, BN)
    for training in (True, False):
        mlp.train(training)
        with running_statistics(mlp):
            assert not mlp.training and not torch.is_grad_enabled()
        assert mlp.training is training and torch.is_grad_enabled()
