"""Whether a detector's backbone has its strides where its weights had them.

A bottleneck of a ResNet halves the map in its 3x3 convolution ('pytorch') or
in the first 1x1 ('caffe', as in the MSRA weights of Detectron2), and a stage
may halve it or not, with or without dilation. The tensors are the same: the
wrong one trains all the same, and ends lower without a word.
"""

import logging
from collections.abc import Iterable
from typing import Any

from mmengine.logging import print_log
from torch import nn

from mmselfemd.errors import UserValueError
from mmselfemd.zoo.pixels import read_convention

_WHERE = dict(pytorch='3x3 convolution', caffe='first 1x1 convolution')


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
    trained = _recorded(checkpoint).get('style')
    given = getattr(backbone, 'style', None)
    if trained in _WHERE and given in _WHERE and trained != given:
        raise UserValueError(
            f'pretrained={source!r} was trained with the strides of its '
            f"bottlenecks in the {_WHERE[trained]}, and the detector's "
            f'backbone has them in the {_WHERE[given]}. Set in the config '
            f'model.backbone.style={trained!r} (and that of '
            'roi_head.shared_head, where there is one).'
        )


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
    trained = _recorded(checkpoint)
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


def _recorded(checkpoint: Any) -> dict:
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    return read_convention(meta)
