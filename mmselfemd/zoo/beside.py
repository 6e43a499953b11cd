"""What lies beside a file of weights says what their tensors do not.

A model of a hub has a ``config.json``: timm's names its network, transformers'
says where the strides are, and both, or the ``preprocessor_config.json`` of
the latter, which pixels. And the names of files tell timm's networks.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

from mmselfemd.errors import UserValueError

__all__ = ['Beside', 'read_beside']

# timm/models/resnet.py: networks with the names and shapes of resnet18 or
# resnet50 that pool where those have strides.
_POOLED = re.compile(r'(?<![a-z])resnet(aa|blur)\d+(?![\dd])', re.IGNORECASE)
# Those that are what their names and shapes say.
_PLAIN = re.compile(
    r'(?<![a-z])(?:(?:tv|gluon|ssl|swsl|ig)_)?'
    r'(resnet(18|34|50|101|152)|resnext(50|101)_?\d+x\d+d)(?![a-z0-9]|_gn)',
    re.IGNORECASE,
)
# Arguments of a network of timm's that leave its features as they are.
_HARMLESS = {
    *('num_classes', 'global_pool', 'drop_rate', 'drop_path_rate'),
    'in_chans',  # seen from the shapes
}
_LARGEST = 2**20  # bytes of a config.json


class Beside(NamedTuple):
    """What a file's surroundings say of it.

    Attributes:
        project (str, optional): Whose file it is, where they tell.
        recorded (dict): What they say of pixels and strides, as in ``meta``
            (:mod:`mmselfemd.zoo.pixels`).
        is_plain (bool): Whether they say that the network is a plain one.
    """

    project: str | None = None
    recorded: dict = {}
    is_plain: bool = False


def read_beside(source: str) -> Beside:
    """Read what the name of a file and the ``config.json`` beside it say.

    Args:
        source (str): The file, or an address.

    Returns:
        Beside: What they say.

    Raises:
        UserValueError: If they say that it is another network than its
            tensors look like.
    """
    if source.startswith('torchvision://'):
        return Beside('torchvision', is_plain=True)
    path = Path(source)
    config = _read_json(path.with_name('config.json'))
    if isinstance(config.get('architecture'), str):
        return _timm(config, source)
    if config.get('model_type') == 'resnet':
        return _transformers(config, path, source)
    names = [path.name, path.parent.name]
    # The hub's cache: models--timm--NAME/snapshots/HASH/model.safetensors.
    names += [part for part in path.parts if part.startswith('models--timm--')]
    for name in names:
        if found := _POOLED.search(name):
            raise _other_network(source, found.group(0), 'Its name says')
    return Beside(is_plain=bool(_PLAIN.search(path.name)))


def _timm(config: dict, source: str) -> Beside:
    """timm/models/_hub.py, save_config_for_hf."""
    architecture = config['architecture']
    where = 'The config.json beside it says'
    if _POOLED.match(architecture):
        raise _other_network(source, architecture, where)
    if not _PLAIN.fullmatch(architecture.split('.')[0]):
        raise UserValueError(
            f"{source}: {where} that it is timm's {architecture}, which is "
            'none of the known networks: ResNet-18, -34, -50, -101, -152 and '
            'ResNeXt with a plain stem.'
        )
    changed = set(config.get('model_args') or {}) - _HARMLESS
    if changed:
        raise UserValueError(
            f"{source}: {where} that its network is timm's {architecture} "
            f'with other settings ({", ".join(sorted(changed))}), which '
            'nothing here has.'
        )
    pretrained = config.get('pretrained_cfg')
    pretrained = pretrained if isinstance(pretrained, dict) else config
    pixels = _pixels(pretrained.get('mean'), pretrained.get('std'))
    # None of its ResNets has the stride in the 1x1.
    return Beside('timm', dict(style='pytorch', **pixels), is_plain=True)


def _transformers(config: dict, path: Path, source: str) -> Beside:
    """transformers/models/resnet/configuration_resnet.py."""
    if config.get('hidden_act', 'relu') != 'relu':
        raise UserValueError(
            f'{source}: the config.json beside it says that its activation '
            f'is {config["hidden_act"]}; known is relu.'
        )
    first = 2 if config.get('downsample_in_first_stage') else 1
    in_bottleneck = bool(config.get('downsample_in_bottleneck'))
    processor = _read_json(path.with_name('preprocessor_config.json'))
    return Beside(
        'transformers',
        dict(
            style='caffe' if in_bottleneck else 'pytorch',
            strides=[first, 2, 2, 2],
            dilations=[1, 1, 1, 1],
            **_pixels(processor.get('image_mean'), processor.get('image_std')),
        ),
        is_plain=True,
    )


def _pixels(mean: object, std: object) -> dict:
    """RGB of values from 0 to 1, as ``pixel_convention`` of 0 to 255."""
    if not all(
        isinstance(values, list)
        and len(values) == 3
        and all(type(value) in (int, float) for value in values)
        for values in (mean, std)
    ):
        return {}
    mean, std = (
        [round(255 * value, 3) for value in values] for values in (mean, std)
    )
    return dict(pixel_convention=dict(channel_order='RGB', mean=mean, std=std))


def _other_network(source: str, name: str, where: str) -> UserValueError:
    plain = re.sub('aa|blur', '', name.split('.')[0])
    return UserValueError(
        f"{source}: {where} that it is timm's {name}, whose tensors have the "
        f'names and shapes of {plain}, and which pools where that has '
        'strides. In a plain ResNet they would compute something else, '
        'without a word. Take a plain one, such as resnet50.'
    )


def _read_json(path: Path) -> dict:
    """A JSON object; nothing if there is none that can be read."""
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        found = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
