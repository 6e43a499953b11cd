"""Backbones that are pre-trained, and fine-tuned, without a config."""

from typing import Any, NamedTuple

from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError
from mmselfemd.zoo.architecture import infer_architecture
from mmselfemd.zoo.conventions import check_same_values
from mmselfemd.zoo.loading import state_dict_of
from mmselfemd.zoo.pixels import CONVENTIONS, read_convention

_PRETRAINING = 'mmselfemd::selfemd/selfemd_{}_coco_800e.py'

#: Channels of a ResNet's first stage, as they usually are.
USUAL_WIDTH = 64
_USUAL_WIDTHS = dict(stem_channels=USUAL_WIDTH, base_channels=USUAL_WIDTH)


class Architecture(NamedTuple):
    """A backbone, and what a step with it takes.

    The last three are of one image, computed or measured as
    ``docs/two_commands.md`` says.

    Attributes:
        config (str): The config of its pre-training that others inherit.
        backbone (dict): What differs from that in ``model.backbone``.
        channels (int): Width of its last map.
        view_memory (float): GiB that pre-training keeps.
        image_memory (float): GiB that fine-tuning keeps, at 1333 x 800.
        seconds (tuple[float, float]): Of one core, for a step of
            pre-training and of fine-tuning.
    """

    config: str
    backbone: dict
    channels: int
    view_memory: float
    image_memory: float
    seconds: tuple[float, float]


_R50 = _PRETRAINING.format('r50')

#: By the names of the command line.
ARCHITECTURES = {
    'resnet18': Architecture(_R50, dict(depth=18), 512, 0.06, 1.5, (1.3, 36)),
    'resnet34': Architecture(_R50, dict(depth=34), 512, 0.08, 1.8, (2.0, 42)),
    'resnet50': Architecture(_R50, {}, 2048, 0.19, 3.5, (3.1, 49)),
    'resnet101': Architecture(
        _R50, dict(depth=101), 2048, 0.28, 4.7, (5.2, 63)
    ),
    'resnext50': Architecture(
        _R50,
        dict(type='mmpretrain.ResNeXt', groups=32, width_per_group=4),
        2048,
        0.24,
        4.2,
        (3.6, 53),
    ),
    'mobilenet-v2': Architecture(
        _PRETRAINING.format('mobilenet-v2'), {}, 1280, 0.17, 3.2, (1.1, 33)
    ),
}


class Backbone(NamedTuple):
    """The backbone of a file.

    Attributes:
        name (str): One of :data:`ARCHITECTURES`.
        network (dict): Its network, as
            :func:`~mmselfemd.zoo.architecture.infer_architecture` tells it.
        convention (dict): Pixels, strides and ``value_range`` as far as the
            file records them: see :mod:`mmselfemd.zoo.pixels`.
    """

    name: str
    network: dict
    convention: dict


def find_architecture(name: str) -> Architecture:
    """Look an architecture up.

    Args:
        name (str): Its name.

    Returns:
        Architecture: It.

    Raises:
        UserError: If it is none of the known ones.
    """
    if name not in ARCHITECTURES:
        raise UserError(
            f'--arch {name}: known are {", ".join(ARCHITECTURES)}. Others '
            'need a config of your own, which docs/backbones.md shows'
        )
    return ARCHITECTURES[name]


def read_backbone(
    source: str, arch: str | None = None, option: str = '--pretrained'
) -> Backbone:
    """Find out which backbone is in a file.

    Args:
        source (str): What mmengine's ``CheckpointLoader`` takes: a checkpoint
            of pre-training, or a backbone.
        arch (str, optional): The name of the architecture that it should be.
            Defaults to None: any of the known ones.
        option (str): What the user named it by, for the errors. Defaults to
            ``--pretrained``.

    Returns:
        Backbone: It.

    Raises:
        UserError: If it has no known backbone, or another than ``arch``.
    """
    checkpoint = CheckpointLoader.load_checkpoint(
        source, map_location='cpu', logger='silent'
    )
    weights = {
        name.removeprefix('backbone.'): value
        for name, value in state_dict_of(checkpoint, source).items()
    }
    network = infer_architecture(weights, source)
    name = _name_of(network)
    if name not in ARCHITECTURES:
        raise UserError(
            f'{option} {source} is a {name}; known here are '
            f'{", ".join(ARCHITECTURES)}. Others need a config of your own, '
            'which configs/detection/README.md shows'
        )
    if arch is not None and name != arch:
        raise UserError(
            f'{option} {source} is of another architecture: a {name}, and '
            f'--arch is {arch}. Name a file of that, or --arch {name}'
        )
    return Backbone(
        name, network, read_convention(checkpoint.get('meta'), source)
    )


def standard_backbone(name: str) -> Backbone:
    """The backbone that a detector has without a file.

    Args:
        name (str): One of :data:`ARCHITECTURES`.

    Returns:
        Backbone: It, of the usual width, with this project's pixels.
    """
    own = find_architecture(name).backbone
    network: dict[str, Any] = dict(type='MobileNetV2')
    if name != 'mobilenet-v2':
        network = dict(type='ResNet', depth=own.get('depth', 50))
        network |= _USUAL_WIDTHS
    if 'groups' in own:
        network |= dict(type='ResNeXt', groups=32, base_width=4)
    return Backbone(name, network, CONVENTIONS['torchvision'])


def with_widths(architecture: Architecture, network: dict) -> Architecture:
    """An architecture of a file's widths, where they are not the usual ones.

    Args:
        architecture (Architecture): Of the usual widths.
        network (dict): That of a :class:`Backbone` of this architecture.

    Returns:
        Architecture: The same, with other widths; its memory and its seconds
        stay those of the usual ones.
    """
    widths = {n: v for n, v in network.items() if n not in ('type', 'depth')}
    if 'base_width' in widths:  # mmdet's name; mmpretrain's is another
        widths['width_per_group'] = widths.pop('base_width')
    usual = _USUAL_WIDTHS | architecture.backbone
    own = {n: v for n, v in widths.items() if usual.get(n) != v}
    width = widths.get('base_channels', USUAL_WIDTH)
    return architecture._replace(
        backbone=architecture.backbone | own,
        channels=architecture.channels * width // USUAL_WIDTH,
    )


def image_values(given: dict, backbone: Backbone, named: str) -> dict:
    """How images become 8-bit colour: as the user says, or as the file does.

    Args:
        given (dict): ``value_range`` and ``bands`` of the user, or None.
        backbone (Backbone): What is started from.
        named (str): The file and its option, for the error.

    Returns:
        dict: The same; where the user gave none, the file's, if it has it.

    Raises:
        UserError: If the user's are others than the file's.
    """
    values = {
        name: value or backbone.convention.get(name)
        for name, value in given.items()
    }
    check_same_values(
        dict(meta=backbone.convention),
        **values,
        source=named,
        is_pretrained=False,
    )
    return values


def _name_of(network: dict) -> str:
    if network['type'] == 'MobileNetV2':
        return 'mobilenet-v2'
    return f'{network["type"].lower()}{network["depth"]}'
