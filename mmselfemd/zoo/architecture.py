"""Which network a backbone's tensors belong to, read from the tensors."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmselfemd.errors import UserValueError

__all__ = ['build_backbone', 'infer_architecture', 'tensors_of']

_DEPTHS = {
    ('basic', (2, 2, 2, 2)): 18,
    ('basic', (3, 4, 6, 3)): 34,
    ('bottleneck', (3, 4, 6, 3)): 50,
    ('bottleneck', (3, 4, 23, 3)): 101,
    ('bottleneck', (3, 8, 36, 3)): 152,
}
_KNOWN = (
    'ResNet-18, -34, -50, -101, -152 and ResNeXt-50, -101, -152 with a plain '
    'stem, MobileNetV2'
)


def infer_architecture(weights: dict[str, Tensor], source: str) -> dict:
    """Find the network of a backbone's tensors.

    Args:
        weights (dict[str, Tensor]): Our names and their tensors; others may
            be among them.
        source (str): Where they came from, for the error.

    Returns:
        dict: The config of the backbone, with ``type``.

    Raises:
        UserValueError: If it is none of the known ones, or not whole.
    """
    if 'conv1.conv.weight' in weights:
        architecture = dict(type='MobileNetV2')
    elif 'conv1.weight' in weights:
        architecture = _infer_resnet(weights, source)
    else:
        found = Counter(name.split('.')[0] for name in weights)
        raise UserValueError(
            f'{source}: no known backbone. Found '
            f'{", ".join(f"{top}.* ({n})" for top, n in found.most_common(8))}'
            f'. Known are {_KNOWN}.'
        )
    _check_shapes(architecture, weights, source)
    return architecture


def _infer_resnet(weights: dict[str, Tensor], source: str) -> dict:
    blocks = tuple(
        len(
            {
                match.group(1)
                for name in weights
                if (match := re.match(rf'layer{stage}\.(\d+)\.', name))
            }
        )
        for stage in (1, 2, 3, 4)
    )
    bottleneck = 'layer1.0.conv3.weight' in weights
    kind = 'bottleneck' if bottleneck else 'basic'
    depth = _DEPTHS.get((kind, blocks))
    first = weights.get('layer1.0.conv1.weight')
    second = weights.get('layer1.0.conv2.weight')
    if depth is None or first is None or second is None:
        raise UserValueError(
            f'{source}: no known depth. Its four stages have {blocks} {kind} '
            f'blocks. Known are {_KNOWN}.'
        )
    convolutions = (weights['conv1.weight'], first, second)
    if any(value.ndim != 4 or value.numel() == 0 for value in convolutions):
        raise UserValueError(
            f'{source}: its first convolutions are of the shapes '
            f'{", ".join(str(tuple(value.shape)) for value in convolutions)}, '
            'which no network has.'
        )
    stem, width = weights['conv1.weight'].shape[0], first.shape[0]
    groups = width // second.shape[1]
    if bottleneck and groups > 1:
        return dict(
            type='ResNeXt',
            depth=depth,
            stem_channels=stem,
            base_channels=stem,
            groups=groups,
            base_width=width // groups,
        )
    return dict(
        type='ResNet', depth=depth, stem_channels=stem, base_channels=width
    )


def build_backbone(
    architecture: dict,
    style: str = 'pytorch',
    strides: Sequence[int] = (1, 2, 2, 2),
    dilations: Sequence[int] = (1, 1, 1, 1),
) -> nn.Module:
    """Build a backbone that gives C2-C5.

    What the tensors do not tell is what a file records
    (:mod:`mmselfemd.zoo.pixels`), and is of no account for MobileNetV2.

    Args:
        architecture (dict): What :func:`infer_architecture` returned.
        style (str): Where a bottleneck has its stride, 'pytorch' or 'caffe'.
            Defaults to 'pytorch'.
        strides (Sequence[int]): Of the four stages. Defaults to (1, 2, 2, 2).
        dilations (Sequence[int]): Of the four stages. Defaults to
            (1, 1, 1, 1).

    Returns:
        nn.Module: The backbone, mmdet's or, for MobileNetV2, whose names
        differ in the two, mmpretrain's.

    Raises:
        UserValueError: If strides or dilations are not of four stages.
    """
    from mmdet.models.backbones import ResNet, ResNeXt
    from mmpretrain.models.backbones import MobileNetV2

    config = dict(architecture)
    kind = config.pop('type')
    if kind == 'MobileNetV2':
        return MobileNetV2(out_indices=(1, 2, 4, 7))
    if not len(strides) == len(dilations) == 4:
        raise UserValueError(
            f'strides={strides} and dilations={dilations}: expected those of '
            'four stages.'
        )
    backbone = dict(ResNet=ResNet, ResNeXt=ResNeXt)[kind]
    return backbone(
        style=style, strides=strides, dilations=dilations, **config
    )


def tensors_of(architecture: dict) -> dict[str, torch.Size]:
    """List the tensors that a backbone has.

    Args:
        architecture (dict): What :func:`infer_architecture` returned.

    Returns:
        dict[str, torch.Size]: Our names and the shapes.
    """
    with torch.device('meta'):
        backbone = build_backbone(architecture)
    return {name: value.shape for name, value in backbone.state_dict().items()}


def _check_shapes(
    architecture: dict, weights: dict[str, Tensor], source: str
) -> None:
    wanted = tensors_of(architecture)
    # Older files lack BN's batch counters, which nothing depends on.
    missing = [
        name
        for name in wanted
        if name not in weights and not name.endswith('num_batches_tracked')
    ]
    misshapen = [
        f'{name} is {tuple(weights[name].shape)} instead of {tuple(shape)}'
        for name, shape in wanted.items()
        if name in weights and weights[name].shape != shape
    ]
    # A tensor more inside a stage is another network, not a head.
    stages = {name.split('.')[0] for name in wanted}
    foreign = [
        name
        for name in weights
        if name not in wanted and name.split('.')[0] in stages
    ]
    if missing or misshapen or foreign:
        raise UserValueError(
            f'{source} does not fit '
            f'{", ".join(f"{k}={v}" for k, v in architecture.items())}: '
            f'{len(missing)} tensors are missing ({_first(missing)}), '
            f'{len(misshapen)} have another shape ({_first(misshapen)}), '
            f'{len(foreign)} are foreign ({_first(foreign)}). Known are '
            f'{_KNOWN}.'
        )


def _first(names: list[str]) -> str:
    if not names:
        return 'none'
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
