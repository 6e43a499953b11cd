"""Networks of torchvision's to compare with, and the maps of ours."""

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from mmselfemd.zoo.architecture import build_backbone
from mmselfemd.zoo.pixels import LAYOUT

IMAGE = torch.linspace(-2, 2, 3 * 64 * 96).sin().view(1, 3, 64, 96)


def randomised(network: nn.Module) -> nn.Module:
    """Give norms and counters what no initialiser gives."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith('running_var') or name.endswith('weight'):
            if value.ndim == 1:
                value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
    return network.eval()


def narrow_resnet(block: type = BasicBlock, blocks=(2, 2, 2, 2)) -> ResNet:
    """A ResNet of torchvision's own modules, an eighth as wide."""
    network = ResNet(block, blocks, num_classes=2)
    network.inplanes = 8
    network.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
    network.bn1 = nn.BatchNorm2d(8)
    for stage, number in enumerate(blocks):
        layer = network._make_layer(
            block, 8 * 2**stage, number, stride=2 if stage else 1
        )
        setattr(network, f'layer{stage + 1}', layer)
    network.fc = nn.Linear(64 * block.expansion, 2)
    return randomised(network)


def torchvision_maps(
    network: nn.Module, image: torch.Tensor = IMAGE
) -> list[torch.Tensor]:
    """C2-C5 of torchvision's ResNets, by its own modules."""
    maps = network.maxpool(network.relu(network.bn1(network.conv1(image))))
    found = []
    for stage in (1, 2, 3, 4):
        maps = getattr(network, f'layer{stage}')(maps)
        found.append(maps)
    return found


def our_maps(path, image: torch.Tensor = IMAGE) -> list[torch.Tensor]:
    """C2-C5 of a file that was imported, as it records its network."""
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    meta = loaded['meta']
    network = build_backbone(
        meta['architecture'],
        **{name: meta[name] for name in LAYOUT if name in meta},
    )
    network.load_state_dict(loaded['state_dict'], strict=False)
    network.eval()  # returns nothing in mmdet
    return list(network(image))


def assert_same(found, expected, tolerance: float = 1e-5):
    """Maps are the same but for a part of their norm."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).norm() <= tolerance * theirs.norm()
        assert theirs.std() > 0.01  # there is something to compare
