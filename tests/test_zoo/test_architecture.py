"""Networks are told from the names and shapes of their tensors."""

import pytest
import timm
import torch
import torchvision
from mmdet.models import ResNet as MMDetResNet
from mmdet.models import ResNeXt

from mmselfemd.zoo.architecture import infer_architecture, tensors_of
from mmselfemd.zoo.key_rules import LAYOUTS


def weights_of(build, *arguments, **settings):
    """Names and shapes alone."""
    with torch.device('meta'):
        return build(*arguments, **settings).state_dict()


@pytest.mark.parametrize(
    ('name', 'kind', 'depth'),
    [
        ('resnet18', 'ResNet', 18),
        ('resnet34', 'ResNet', 34),
        ('resnet50', 'ResNet', 50),
        ('resnet101', 'ResNet', 101),
        ('resnet152', 'ResNet', 152),
        ('resnext50_32x4d', 'ResNeXt', 50),
        ('resnext101_32x8d', 'ResNeXt', 101),
        ('resnext101_64x4d', 'ResNeXt', 101),
        ('mobilenet_v2', 'MobileNetV2', None),
    ],
)
def test_networks_of_torchvision(name, kind, depth):
    weights = weights_of(getattr(torchvision.models, name))
    layout = LAYOUTS['torchvision']
    ours = {layout.ours(name): value for name, value in weights.items()}
    found = infer_architecture(ours, name)
    assert (found['type'], found.get('depth')) == (kind, depth)
    shapes = {
        new: value.shape
        for new, value in ours.items()
        if not new.startswith(('fc.', 'classifier.'))
    }
    assert tensors_of(found) == shapes


@pytest.mark.parametrize(
    ('build', 'settings'),
    [
        (MMDetResNet, dict(depth=18, base_channels=8)),
        (MMDetResNet, dict(depth=50, base_channels=32, stem_channels=16)),
        (ResNeXt, dict(depth=50, base_channels=32, groups=8, base_width=4)),
    ],
)
def test_networks_of_other_widths(build, settings):
    weights = weights_of(build, **settings)
    found = tensors_of(infer_architecture(weights, 'x'))
    assert found == {name: value.shape for name, value in weights.items()}


@pytest.mark.parametrize(
    'name',
    [
        'resnet50d',  # another stem
        'resnet26',  # another depth
        'seresnet50',  # more in each block
        'wide_resnet50_2',
        'resnet50_gn',  # another norm
        'mobilenetv2_100',  # names that are not in the table
        'vit_tiny_patch16_224',
    ],
)
def test_networks_that_are_not_known_are_refused(name):
    weights = weights_of(timm.create_model, name)
    with pytest.raises(ValueError, match=rf'{name}\.pth.*Known are ResNet'):
        infer_architecture(weights, f'{name}.pth')
