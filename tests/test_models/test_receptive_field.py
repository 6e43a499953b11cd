"""The effective receptive field, against networks whose field is known."""

import pytest
import torch
from mmpretrain.models import ResNet
from torch import nn

from mmselfemd.models.receptive_field import effective_receptive_field


class OneMap(nn.Module):
    """Gives a tuple of maps, as a backbone does."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images):
        return (self.layers(images),)


def test_of_a_convolution_it_is_the_absolute_kernel():
    conv = nn.Conv2d(3, 2, 3, stride=2, padding=1)
    found = effective_receptive_field(OneMap(conv), torch.randn(4, 3, 8, 8))
    assert found.shape == (4, 4, 8, 8)
    kernel = conv.weight.detach().sum(0).abs().sum(0)
    for j in range(4):
        for k in range(4):
            expected = torch.zeros(10, 10)  # with the padding
            expected[2 * j : 2 * j + 3, 2 * k : 2 * k + 3] = kernel
            torch.testing.assert_close(found[j, k], expected[1:9, 1:9])


def test_it_is_the_mean_over_images():
    network = OneMap(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3))
    images = torch.randn(3, 3, 8, 8)
    found = effective_receptive_field(network, images)
    each = [
        effective_receptive_field(network, image[None]) for image in images
    ]
    torch.testing.assert_close(found, torch.stack(each).mean(0))
    assert not torch.allclose(each[0], each[1])


def test_norms_of_a_batch_are_constants():
    """As if the mean and deviation of the batch had been written in."""
    conv, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    images = 5 + 2 * torch.randn(6, 3, 8, 8)
    found = effective_receptive_field(OneMap(conv, norm), images)
    maps = conv(images).detach()
    written = nn.BatchNorm2d(4).eval()
    written.running_mean.copy_(maps.mean((0, 2, 3)))
    written.running_var.copy_(maps.var((0, 2, 3)))
    expected = effective_receptive_field(OneMap(conv, written.eval()), images)
    torch.testing.assert_close(found, expected)
    # Elsewhere than under the kernel nothing counts: no image, and no place,
    # acts through the statistics.
    assert (found[0, 0, 3:] == 0).all() and (found[0, 0, :3, :3] > 0).all()


@pytest.mark.parametrize('training', [True, False])
def test_the_network_is_left_as_it_was(training):
    network = ResNet(18, base_channels=4, stem_channels=4)
    network.train(training)
    network.bn1.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    found = effective_receptive_field(network, torch.randn(2, 3, 64, 64))
    assert found.shape == (2, 2, 64, 64)
    assert (found >= 0).all() and found.requires_grad is False
    after = network.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert network.training is training and not network.bn1.training
    assert network.bn1.momentum == 0.1
    assert all(p.grad is None for p in network.parameters())


def test_a_network_may_save_memory_by_checkpoints():
    """``with_cp``, through which torch takes no gradient by the images."""
    options = dict(depth=18, stem_channels=4, base_channels=4)
    plain, saving = ResNet(**options), ResNet(with_cp=True, **options)
    saving.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(
        effective_receptive_field(saving, images),
        effective_receptive_field(plain, images),
    )
    assert any(getattr(part, 'with_cp', False) for part in saving.modules())
