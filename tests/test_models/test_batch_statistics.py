"""Norms by the batch, without a trace."""

import pytest
import torch
from torch import nn

from mmselfemd.models.batch_statistics import batch_statistics


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
