"""Norms by the batch, without a trace."""

import pytest
import torch
from mmpretrain.models import ResNet
from torch import nn

from mmselfemd.models.norm_statistics import (
    batch_statistics,
    running_statistics,
)


@pytest.fixture
def network():
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9)
    )


@pytest.mark.parametrize('training', [True, False])
def test_outputs_are_normalised_and_nothing_is_remembered(network, training):
    network.train(training)
    network[2].eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    with batch_statistics(network):
        out = network(torch.randn(8, 3, 9, 9) * 5 + 3)
    assert not out.requires_grad
    assert torch.allclose(out.mean((0, 2, 3)), torch.zeros(4), atol=1e-5)
    assert torch.allclose(
        out.std((0, 2, 3), correction=0), torch.ones(4), atol=1e-3
    )
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert network[1].training is training
    assert network[2].training is False


def test_a_batch_that_is_not_finite_leaves_no_trace(network):
    with batch_statistics(network):
        assert network(torch.full((2, 3, 5, 5), torch.nan)).isnan().all()
    assert network[1].running_mean.isfinite().all()


def test_an_error_leaves_no_trace(network):
    network.eval()
    with pytest.raises(ValueError), batch_statistics(network):
        network(torch.randn(2, 3, 5, 5))
        raise ValueError
    assert not network[1].training
    assert network[1].num_batches_tracked == 0


def test_one_within_the_other_gives_back_each_part_its_mode(network):
    inner = network[1]
    with batch_statistics(network):
        with running_statistics(network):
            assert not inner.training
        # By the batch again: not what `train(False)` would leave.
        assert inner.training
    network.train()
    inner.eval()
    with running_statistics(network):
        assert not network.training
    assert network.training and not inner.training


def test_running_statistics_are_those_learnt(network):
    network.train()
    for _ in range(50):
        network(torch.randn(8, 3, 9, 9) * 5 + 3)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    one = torch.randn(1, 3, 9, 9)
    with running_statistics(network):
        alone = network(one)
        together = network(torch.cat((one, torch.randn(7, 3, 9, 9) * 9)))
    assert torch.allclose(alone[0], together[0], atol=1e-5)
    assert not alone.requires_grad
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize(
    'options', [dict(frozen_stages=1), dict(norm_eval=True)]
)
def test_what_training_leaves_as_learnt_is_left(options):
    """In eval mode a measured network is then the one that trains."""
    backbone = ResNet(18, stem_channels=8, base_channels=8, **options)
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.uniform_()
    images = torch.randn(4, 3, 32, 32)
    backbone.train()
    trained = backbone(images)[-1]
    backbone.eval()
    with batch_statistics(backbone):
        torch.testing.assert_close(backbone(images)[-1], trained)
    assert not any(part.training for part in backbone.modules())
