"""Whether a detector uses a backbone as the one that it was trained as.

The tensors of networks with other pixels, strides or dilations are the same:
the wrong one trains all the same, and ends some points lower without a word.
So a file may say what it expects, see :mod:`mmselfemd.zoo.pixels`:

- its pixels: RGB or BGR, mean and standard deviation in the order of the
  channels, for values from 0 to 255;
- its strides: a bottleneck of a ResNet halves the map in its 3x3 convolution
  ('pytorch') or in the first 1x1 ('caffe', as in the MSRA weights of
  Detectron2), and a stage may halve it or not, with or without dilation;
- the values of images of more than 8 bits that became black and white, and
  the bands that became colours.
"""

import logging
from collections.abc import Iterable
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import ImgDataPreprocessor
from torch import nn

from mmselfemd.errors import UserValueError

from .pixels import read_convention

#: How far mean and std may be from each other: published ones are rounded.
TOLERANCE = 0.5

#: How far the ends of two ranges of values may be from each other, as a share
#: of the range: they are measured on each set of images.
RANGE_TOLERANCE = 0.01

_WHERE = dict(pytorch='3x3 convolution', caffe='first 1x1 convolution')


def check_pixel_convention(
    checkpoint: Any, preprocessor: nn.Module, source: str
) -> None:
    """Raise if a detector's preprocessing is not what its weights expect.

    Args:
        checkpoint (Any): What was loaded. Where it does not say what it
            expects, nothing is checked.
        preprocessor (nn.Module): The detector's ``data_preprocessor``, built.
            It gets images as mmdet's pipelines load them: in BGR.
        source (str): Where the weights came from, for the message.

    Raises:
        ValueError: If the order of channels, mean or std differ.
    """
    expected = _recorded(checkpoint, source).get('pixel_convention')
    if expected is None or not isinstance(preprocessor, ImgDataPreprocessor):
        return
    given = _convention_of(preprocessor)
    if given['channel_order'] == expected['channel_order'] and all(
        torch.allclose(
            torch.tensor(given[name]),
            torch.tensor(expected[name], dtype=torch.float),
            rtol=0,
            atol=TOLERANCE,
        )
        for name in ('mean', 'std')
    ):
        return
    raise UserValueError(
        f'pretrained={source!r} was trained on {_describe(expected)}, but '
        f'the detector would be given {_describe(given)}. Set in the config '
        'model.data_preprocessor='
        f'dict(mean={list(expected["mean"])}, std={list(expected["std"])}, '
        f'bgr_to_rgb={expected["channel_order"] == "RGB"}).'
    )


def check_style(checkpoint: Any, backbone: nn.Module, source: str) -> None:
    """Raise if weights were trained with their strides elsewhere.

    Args:
        checkpoint (Any): What was loaded. Where its ``meta`` does not tell
            the style, nothing is checked.
        backbone (nn.Module): The detector's; one without ``style`` passes.
        source (str): Where the weights came from, for the message.

    Raises:
        ValueError: If the styles differ.
    """
    trained = _recorded(checkpoint, source).get('style')
    given = getattr(backbone, 'style', None)
    if trained in _WHERE and given in _WHERE and trained != given:
        raise UserValueError(
            f'pretrained={source!r} was trained with the strides of its '
            f"bottlenecks in the {_WHERE[trained]}, and the detector's "
            f'backbone has them in the {_WHERE[given]}. Set in the config '
            f'model.backbone.style={trained!r} (and that of '
            'roi_head.shared_head, where there is one).'
        )


def check_same_values(
    checkpoint: Any,
    value_range: Any,
    bands: Any,
    source: str,
    is_pretrained: bool = True,
) -> None:
    """Raise if images are made 8-bit colour in another way than in training.

    Args:
        checkpoint (Any): What was loaded. Where it does not say that one of
            the two was set, that one is not checked: a backbone of
            photographs may see thermal images.
        value_range (Sequence[float], optional): That of the images.
        bands (Sequence[int], optional): The same.
        source (str): Where the weights came from, for the message.
        is_pretrained (bool): Whether they are what a detector begins with,
            for the message. Defaults to True.

    Raises:
        ValueError: If the ranges differ by more than a hundredth, or the
            bands.
    """
    recorded = _recorded(checkpoint, source)
    trained_range, trained_bands = map(recorded.get, ('value_range', 'bands'))
    weights = f'pretrained={source!r}' if is_pretrained else source
    reader = 'detector' if is_pretrained else 'config'
    for name, trained, given, same in (
        (
            'value_range',
            trained_range,
            value_range,
            _same_range(trained_range, value_range),
        ),
        ('bands', trained_bands, bands, trained_bands == _listed(bands)),
    ):
        if trained is not None and not same:
            raise UserValueError(
                f'{weights} was trained with {name}='
                f'{tuple(trained)}, and the {reader} has {name}='
                f'{given and tuple(given)}: it would be given other pixels. '
                f'Set in the config {name}={tuple(trained)}.'
            )


def _same_range(trained: Any, given: Any) -> bool:
    if trained is None or given is None:
        return trained is given
    tolerance = RANGE_TOLERANCE * (trained[1] - trained[0])
    return all(
        abs(one - other) <= tolerance
        for one, other in zip(trained, given, strict=True)
    )


def _listed(values: Any) -> list | None:
    return None if values is None else list(values)


def warn_of_other_strides(
    checkpoint: Any, parts: Iterable[nn.Module], source: str
) -> None:
    """Warn if weights were trained with other strides or dilations.

    It is no error: a last stage with dilation in the place of its stride
    (DC5), for instance, is fine-tuned from a plain one on purpose.

    Args:
        checkpoint (Any): What was loaded. Where its ``meta`` does not tell
            the strides, nothing is checked.
        parts (Iterable[nn.Module]): What has the stages (``layer1`` and so
            on), in their order: the backbone and, for C4, the shared head.
        source (str): Where the weights came from, for the message.
    """
    trained = _recorded(checkpoint, source)
    if not {'strides', 'dilations'} <= trained.keys():
        return
    blocks = [
        getattr(part, f'layer{number}')[0]
        for part in parts
        for number in range(1, 5)
        if hasattr(part, f'layer{number}')
    ]
    strides = trained['strides'][: len(blocks)]
    dilations = trained['dilations'][: len(blocks)]
    given = [block.stride for block in blocks]
    dilated = [block.dilation for block in blocks]
    if (given, dilated) != (strides, dilations):
        print_log(
            f'pretrained={source!r} was trained with strides={strides} and '
            f'dilations={dilations} in its stages, and the detector has '
            f'strides={given} and dilations={dilated}: the tensors fit, but '
            'the features were learnt at another scale. Unless that is '
            f'meant, set in the config model.backbone.strides={strides} and '
            f'model.backbone.dilations={dilations} (of the last stage of a '
            'C4 detector, stride and dilation of roi_head.shared_head), and '
            'the strides of anchors and RoI extractors with them.',
            logger='current',
            level=logging.WARNING,
        )


def _convention_of(preprocessor: ImgDataPreprocessor) -> dict:
    """Read what a built preprocessor makes of an image loaded as BGR."""
    swaps = preprocessor._channel_conversion
    mean, std = [0.0] * 3, [1.0] * 3
    if preprocessor._enable_normalize:
        mean = preprocessor.mean.flatten().tolist()
        std = preprocessor.std.flatten().tolist()
    return dict(channel_order='RGB' if swaps else 'BGR', mean=mean, std=std)


def _describe(convention: dict) -> str:
    mean, std = (
        [round(float(value), 3) for value in convention[name]]
        for name in ('mean', 'std')
    )
    return f'{convention["channel_order"]}, mean {mean}, std {std}'


def _recorded(checkpoint: Any, source: str) -> dict:
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    return read_convention(meta, source)
