"""How other projects name the tensors of a backbone: one table.

Ours are the names of mmdet's and mmpretrain's backbones. A project differs in
what it puts before a name, and some in the names of the modules. The last
part of a name (``weight``, ``running_mean``, ...) is PyTorch's everywhere, so
a table of module names serves both directions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ['PROJECTS', 'Project']

# The most blocks that a stage of a known ResNet has: ResNet-152's third.
_MOST_BLOCKS = 36


def _detectron2_resnet() -> dict[str, str]:
    """Module names of ``detectron2/modeling/backbone/resnet.py``.

    As ``tools/convert-torchvision-to-d2.py`` and MoCo's
    ``detection/convert-pretrain-to-detectron2.py`` write them.
    """
    names = {'stem.conv1': 'conv1', 'stem.conv1.norm': 'bn1'}
    for stage in range(1, 5):
        for block in range(_MOST_BLOCKS):
            theirs, ours = f'res{stage + 1}.{block}', f'layer{stage}.{block}'
            for conv in (1, 2, 3):
                names[f'{theirs}.conv{conv}'] = f'{ours}.conv{conv}'
                names[f'{theirs}.conv{conv}.norm'] = f'{ours}.bn{conv}'
        names[f'res{stage + 1}.0.shortcut'] = f'layer{stage}.0.downsample.0'
        names[f'res{stage + 1}.0.shortcut.norm'] = (
            f'layer{stage}.0.downsample.1'
        )
    return names


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


@dataclass(frozen=True)
class Project:
    """How a project publishes a backbone.

    Attributes:
        prefixes (tuple[str]): What may stand before the backbone's names, the
            first that occurs counts; the last may be '', for names alone.
        modules (dict[str, str]): Their module names and ours, where they
            differ; a module that is not in it has the same name.
        convention (str, optional): The key of
            :data:`~mmselfemd.zoo.pixels.CONVENTIONS` that holds for its
            weights. None where that depends on the file.
        networks (tuple[str]): The types of backbones whose names are known.
    """

    prefixes: tuple[str, ...] = ('',)
    modules: dict[str, str] = field(default_factory=dict)
    convention: str | None = 'torchvision'
    networks: tuple[str, ...] = ('ResNet', 'ResNeXt')

    def ours(self, names: Iterable[str]) -> dict[str, str]:
        """Rename what may belong to the backbone.

        Args:
            names (Iterable[str]): The names in a file of the project.

        Returns:
            dict[str, str]: Their name and ours, of those that have the
            prefix.
        """
        names = list(names)
        prefix = next(
            (
                prefix
                for prefix in self.prefixes
                if any(name.startswith(prefix) for name in names)
            ),
            self.prefixes[-1],
        )
        return {
            name: _rename(name.removeprefix(prefix), self.modules)
            for name in names
            if name.startswith(prefix)
        }

    def theirs(self, names: Iterable[str]) -> dict[str, str]:
        """Rename our names for the project, without a prefix.

        Args:
            names (Iterable[str]): Our names.

        Returns:
            dict[str, str]: Our name and theirs.
        """
        modules = {ours: theirs for theirs, ours in self.modules.items()}
        return {name: _rename(name, modules) for name in names}


def _rename(name: str, modules: dict[str, str]) -> str:
    module, dot, tensor = name.rpartition('.')
    return f'{modules.get(module, module)}{dot}{tensor}'


#: The projects, by the name that the tools take. Each says in which
#: file of theirs the names are to be seen.
PROJECTS: dict[str, Project] = {
    # torchvision.models: `fc` or `classifier` are left.
    'torchvision': Project(
        modules=_torchvision_mobilenet_v2(),
        networks=('ResNet', 'ResNeXt', 'MobileNetV2'),
    ),
    # timm.models.resnet: torchvision's names.
    'timm': Project(),
    # A model zoo file: names alone; a trained detector of it:
    # detectron2/modeling/backbone/fpn.py, `bottom_up`.
    'detectron2': Project(
        prefixes=('backbone.bottom_up.', ''),
        modules=_detectron2_resnet(),
        convention=None,
    ),
    # `backbone.` of every classifier and self-supervised method.
    'mmpretrain': Project(
        prefixes=('backbone.', ''),
        networks=('ResNet', 'ResNeXt', 'MobileNetV2'),
    ),
    # main_moco.py saves a DistributedDataParallel (`module.`);
    # detection/convert-pretrain-to-detectron2.py takes the query encoder.
    'moco': Project(prefixes=('module.encoder_q.',)),
    # tools/extract_backbone_weights.py: `backbone.` of a whole checkpoint,
    # or what that script wrote.
    'densecl': Project(prefixes=('backbone.', '')),
    # transfer/detection/convert_pretrain_to_d2.py, both; SlotCon's takes the
    # key (teacher) encoder.
    'pixpro': Project(prefixes=('module.encoder.',)),
    'slotcon': Project(prefixes=('module.encoder_k.',)),
}
