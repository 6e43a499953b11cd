"""How other projects name the tensors of a backbone: one table.

Ours are the names of mmdet's and mmpretrain's backbones. The last part of a
name (``weight``, ``running_mean``, ...) is PyTorch's nearly everywhere, so a
table of module names serves both directions. What stands before the names,
and where they lie in a file, is in :mod:`mmselfemd.zoo.sources`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

__all__ = ['LAYOUTS', 'Layout']

# The most blocks that a stage of a known ResNet has: ResNet-152's third.
_MOST_BLOCKS = 36

_RESNETS = ('ResNet', 'ResNeXt')


@dataclass(frozen=True)
class Layout:
    """The names of a backbone in another project.

    Attributes:
        names (dict[str, str]): Their names and ours, where they differ: of
            modules, or of whole tensors; what is not in it has the same name.
        networks (tuple[str]): The types of backbones whose names are known.
    """

    names: dict[str, str] = field(default_factory=dict)
    networks: tuple[str, ...] = _RESNETS

    def ours(self, name: str) -> str:
        """Rename a tensor of theirs.

        Args:
            name (str): Its name there.

        Returns:
            str: Our name of it.
        """
        return _rename(name, self.names)

    def theirs(self, names: Iterable[str]) -> dict[str, str]:
        """Rename our tensors.

        Args:
            names (Iterable[str]): Our names.

        Returns:
            dict[str, str]: Our name and theirs.
        """
        theirs = {ours: theirs for theirs, ours in self.names.items()}
        return {name: _rename(name, theirs) for name in names}


def _rename(name: str, names: dict[str, str]) -> str:
    if name in names:
        return names[name]
    module, dot, tensor = name.rpartition('.')
    return f'{names.get(module, module)}{dot}{tensor}'


def _resnet(
    stem: tuple[str, str],
    block: str,
    convolution: Callable[[int], tuple[str, str]],
    shortcut: tuple[str, str],
    first_stage: int = 1,
) -> dict[str, str]:
    """Module names of a ResNet, and ours.

    Args:
        stem (tuple[str, str]): Those of its first convolution and norm.
        block (str): What stands before the names in a block, with ``{stage}``
            and ``{block}``.
        convolution (Callable[[int], tuple[str, str]]): Those of a block's
            convolution of that number, from 1, and of the norm after it.
        shortcut (tuple[str, str]): Those of a stage's first block's.
        first_stage (int): The number of the first stage. Defaults to 1.

    Returns:
        dict[str, str]: The table.
    """
    names = dict(zip(stem, ('conv1', 'bn1'), strict=True))
    for stage in range(1, 5):
        for number in range(_MOST_BLOCKS):
            theirs = block.format(stage=stage + first_stage - 1, block=number)
            ours = f'layer{stage}.{number}'
            for index in (1, 2, 3):
                convolved, normed = convolution(index)
                names[theirs + convolved] = f'{ours}.conv{index}'
                names[theirs + normed] = f'{ours}.bn{index}'
            if number == 0:
                names[theirs + shortcut[0]] = f'{ours}.downsample.0'
                names[theirs + shortcut[1]] = f'{ours}.downsample.1'
    return names


def _detectron2() -> dict[str, str]:
    """Module names of ``detectron2/modeling/backbone/resnet.py``.

    As ``tools/convert-torchvision-to-d2.py`` and MoCo's
    ``detection/convert-pretrain-to-detectron2.py`` write them.
    """
    return _resnet(
        ('stem.conv1', 'stem.conv1.norm'),
        'res{stage}.{block}.',
        lambda index: (f'conv{index}', f'conv{index}.norm'),
        ('shortcut', 'shortcut.norm'),
        first_stage=2,
    )


def _caffe2() -> dict[str, str]:
    """Names of tensors in ``ImageNetPretrained`` of Detectron2's model zoo.

    As ``detectron2/checkpoint/c2_model_loading.py`` reads them. A convolution
    has no bias of its own: the norm after it has one.
    """
    modules = _resnet(
        ('conv1', 'res_conv1_bn'),
        'res{stage}_{block}_',
        lambda index: (
            f'branch2{"abc"[index - 1]}',
            f'branch2{"abc"[index - 1]}_bn',
        ),
        ('branch1', 'branch1_bn'),
        first_stage=2,
    )
    tensors = dict(
        gamma='weight',
        s='weight',
        beta='bias',
        b='bias',
        running_mean='running_mean',
        rm='running_mean',
        running_var='running_var',
        riv='running_var',
    )
    names = {}
    for theirs, ours in (*modules.items(), ('conv1_bn', 'bn1')):
        if theirs.endswith('_bn'):
            for their_tensor, our_tensor in tensors.items():
                names[f'{theirs}_{their_tensor}'] = f'{ours}.{our_tensor}'
        else:
            names[f'{theirs}_w'] = f'{ours}.weight'
    return names


def _transformers() -> dict[str, str]:
    """Module names of ``transformers/models/resnet/modeling_resnet.py``."""
    return _resnet(
        ('embedder.embedder.convolution', 'embedder.embedder.normalization'),
        'encoder.stages.{stage}.layers.{block}.',
        lambda index: (
            f'layer.{index - 1}.convolution',
            f'layer.{index - 1}.normalization',
        ),
        ('shortcut.convolution', 'shortcut.normalization'),
        first_stage=0,
    )


def _sequential() -> dict[str, str]:
    """The children of torchvision's ResNet in a row, by their numbers.

    As the examples of lightly make a backbone:
    ``nn.Sequential(*list(resnet.children())[:-1])``.
    """
    return _resnet(
        ('0', '1'),
        '{stage}.{block}.',
        lambda index: (f'conv{index}', f'bn{index}'),
        ('downsample.0', 'downsample.1'),
        first_stage=4,
    )


def _torchvision_mobilenet_v2() -> dict[str, str]:
    """Module names of ``torchvision/models/mobilenetv2.py``."""
    names = {}
    for theirs, ours in (('features.0', 'conv1'), ('features.18', 'conv2')):
        names[f'{theirs}.0'] = f'{ours}.conv'
        names[f'{theirs}.1'] = f'{ours}.bn'
    blocks = [
        f'layer{layer}.{block}'
        for layer, number in enumerate((1, 2, 3, 4, 3, 3, 1), start=1)
        for block in range(number)
    ]
    for index, ours in enumerate(blocks, start=1):
        theirs = f'features.{index}.conv'
        # The first block does not expand: it has one convolution less.
        last = 1 if index == 1 else 2
        for conv in range(last):
            names[f'{theirs}.{conv}.0'] = f'{ours}.conv.{conv}.conv'
            names[f'{theirs}.{conv}.1'] = f'{ours}.conv.{conv}.bn'
        names[f'{theirs}.{last}'] = f'{ours}.conv.{last}.conv'
        names[f'{theirs}.{last + 1}'] = f'{ours}.conv.{last}.bn'
    return names


#: The layouts, by the name that the tools take where they write them.
LAYOUTS: dict[str, Layout] = {
    'mmpretrain': Layout(networks=(*_RESNETS, 'MobileNetV2')),
    'torchvision': Layout(
        _torchvision_mobilenet_v2(), (*_RESNETS, 'MobileNetV2')
    ),
    'timm': Layout(),  # timm/models/resnet.py: torchvision's names
    'detectron2': Layout(_detectron2()),
    'caffe2': Layout(_caffe2()),
    'transformers': Layout(_transformers(), ('ResNet',)),
    'sequential': Layout(_sequential()),
}
