"""Folders as the hubs of models have them: weights, configs and a card."""

import json
import math
from pathlib import Path

from torch import Tensor

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError

from .architecture import infer_architecture

__all__ = ['FOLDERS', 'WEIGHTS', 'hub_files', 'write_folder']

#: The formats that are folders.
FOLDERS = ('transformers', 'hub')

#: The name of the weights in such a folder.
WEIGHTS = 'model.safetensors'

# timm/models/resnet.py: those with a plain stem.
_OF_TIMM = (
    *('resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152'),
    *('resnext50_32x4d', 'resnext101_32x4d', 'resnext101_32x8d'),
    'resnext101_64x4d',
)

# The third convolution of a block, which bottlenecks have.
_LAST = 'layer1.0.conv3.weight'

_CARD = """\
---
library_name: {library}
pipeline_tag: image-feature-extraction
tags:
- self-supervised-learning
- backbone
---

# {name}

The backbone of a {network}, without a classifier: a start for detectors and
for features. It was written from `{source}` by `extract_backbone.py` of
mmselfemd. Its licence is that of the weights; whoever publishes this folder
says it here (`license:` above).

| | |
| --- | --- |
| network | {network} |
| values | {values:,} |
| pixels | RGB, mean {mean}, std {std}, of values from 0 to 255 |
{pretraining}
{use}"""

_USE = {
    'transformers': """\
```python
from transformers import AutoImageProcessor, ResNetBackbone

processor = AutoImageProcessor.from_pretrained('PATH')
backbone = ResNetBackbone.from_pretrained('PATH', out_indices=[1, 2, 3, 4])
maps = backbone(**processor(image, return_tensors='pt')).feature_maps
```
""",
    'hub': """\
```python
import timm

backbone = timm.create_model(
    'local-dir:PATH', pretrained=True, features_only=True
)
```

`hf-hub:NAME` takes the place of `local-dir:PATH` once it is on the hub. The
names of the tensors are torchvision's, too:

```python
import torch
import torchvision
from safetensors.torch import load_file

net = torchvision.models.{architecture}()
net.fc = torch.nn.Identity()
net.load_state_dict(load_file('PATH/model.safetensors'))
```
""",
}


def hub_files(
    to: str, backbone: dict[str, Tensor], meta: dict, name: str
) -> dict[str, bytes]:
    """Write the files that go beside the weights.

    Args:
        to (str): One of :data:`FOLDERS`.
        backbone (dict[str, Tensor]): The tensors, by our names.
        meta (dict): What the weights record.
        name (str): The name of the folder.

    Returns:
        dict[str, bytes]: Names of files and their content.

    Raises:
        UserValueError: If the project has no such network, or the pixels are
            not recorded, or not RGB.
    """
    architecture = infer_architecture(backbone, meta['source'])
    pixels = _rgb(meta, to)
    if to == 'transformers':
        files = _transformers(architecture, backbone, meta, pixels)
    else:
        files = _timm(architecture, backbone, meta, pixels)
    card = _card(to, architecture, backbone, meta, name)
    written = {
        file: f'{json.dumps(content, indent=2)}\n'.encode()
        for file, content in files.items()
    }
    return {**written, 'README.md': card.encode()}


def write_folder(
    folder: Path, files: dict[str, bytes], weights: bytes
) -> None:
    """Write a folder, the weights last: without them it is not whole.

    Args:
        folder (Path): The folder; it is made. Other files in it stay.
        files (dict[str, bytes]): What :func:`hub_files` returned.
        weights (bytes): The content of the weights' file.
    """
    for name, content in {**files, WEIGHTS: weights}.items():
        with atomic_write(folder / name) as file:
            file.write(content)


def _rgb(meta: dict, to: str) -> dict:
    """The pixels, of values from 0 to 1."""
    pixels = meta.get('pixel_convention')
    if pixels is None:
        raise UserValueError(
            f'{meta["source"]} does not say which pixels it was trained on, '
            f'which a folder for {to} has to. Let '
            'tools/model_converters/import_backbone.py write it into a file.'
        )
    if pixels['channel_order'] != 'RGB':
        raise UserValueError(
            f'{meta["source"]} was trained on {pixels["channel_order"]}, and '
            f'who reads a folder for {to} gives RGB: it would compute '
            'something else, without a word.'
        )
    return {
        key: [round(value / 255, 6) for value in pixels[key]]
        for key in ('mean', 'std')
    }


def _transformers(
    architecture: dict, backbone: dict[str, Tensor], meta: dict, pixels: dict
) -> dict[str, dict]:
    """transformers/models/resnet/configuration_resnet.py."""
    if architecture['type'] != 'ResNet':
        raise UserValueError(
            f'{meta["source"]} is a {architecture["type"]}: transformers has '
            'ResNets alone.'
        )
    return {
        'config.json': dict(
            architectures=['ResNetModel'],
            model_type='resnet',
            num_channels=3,
            embedding_size=architecture['stem_channels'],
            hidden_sizes=_widths(backbone),
            depths=_blocks(backbone),
            layer_type='bottleneck' if _LAST in backbone else 'basic',
            hidden_act='relu',
            downsample_in_first_stage=False,
            downsample_in_bottleneck=meta.get('style') == 'caffe',
        ),
        'preprocessor_config.json': dict(
            image_processor_type='BitImageProcessor',
            do_convert_rgb=True,
            do_resize=False,
            do_center_crop=False,
            do_rescale=True,
            rescale_factor=1 / 255,
            do_normalize=True,
            image_mean=pixels['mean'],
            image_std=pixels['std'],
        ),
    }


def _timm(
    architecture: dict, backbone: dict[str, Tensor], meta: dict, pixels: dict
) -> dict[str, dict]:
    """timm/models/_hub.py, save_config_for_hf."""
    name = _network(architecture)
    usual = (architecture['stem_channels'], architecture['base_channels'])
    if name not in _OF_TIMM or usual != (64, 64):
        raise UserValueError(
            f'{meta["source"]}: timm has no {name} with a beginning of '
            f'{usual[0]} and a first stage of {usual[1]} channels. A folder '
            'of --to transformers can have any width.'
        )
    return {
        'config.json': dict(
            architecture=name,
            num_classes=0,
            num_features=_widths(backbone)[-1],
            pretrained_cfg=dict(
                input_size=[3, 224, 224],
                fixed_input_size=False,
                interpolation='bilinear',
                crop_pct=0.875,
                num_classes=0,
                first_conv='conv1',
                classifier='fc',
                **pixels,
            ),
        )
    }


def _network(architecture: dict) -> str:
    """The name that torchvision and timm give the network."""
    if architecture['type'] == 'ResNet':
        return f'resnet{architecture["depth"]}'
    groups, width = architecture['groups'], architecture['base_width']
    return f'resnext{architecture["depth"]}_{groups}x{width}d'


def _widths(backbone: dict[str, Tensor]) -> list[int]:
    """The channels of the four maps."""
    last = 'conv3' if _LAST in backbone else 'conv2'
    return [
        backbone[f'layer{stage}.0.{last}.weight'].shape[0]
        for stage in (1, 2, 3, 4)
    ]


def _blocks(backbone: dict[str, Tensor]) -> list[int]:
    return [
        len(
            {
                name.split('.')[1]
                for name in backbone
                if name.startswith(f'layer{stage}.')
            }
        )
        for stage in (1, 2, 3, 4)
    ]


def _card(
    to: str,
    architecture: dict,
    backbone: dict[str, Tensor],
    meta: dict,
    name: str,
) -> str:
    pretraining = meta.get('pretraining', {})
    shown = ('config', 'epoch', 'iter', 'seed')
    run = ', '.join(
        f'{key} {pretraining[key]}' for key in shown if key in pretraining
    )
    network = ', '.join(f'{k}={v}' for k, v in architecture.items())
    pixels = meta['pixel_convention']
    return _CARD.format(
        library='transformers' if to == 'transformers' else 'timm',
        name=name,
        network=network,
        source=meta['source'],
        values=sum(math.prod(value.shape) for value in backbone.values()),
        mean=pixels['mean'],
        std=pixels['std'],
        pretraining=f'| pre-training | {run} |\n' if run else '',
        use=_USE[to].replace('{architecture}', _network(architecture)),
    )
