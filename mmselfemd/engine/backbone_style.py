"""Whether a detector's backbone has its strides where its weights had them.

A bottleneck of a ResNet halves the map in its 3x3 convolution ('pytorch') or
in the first 1x1 ('caffe', as in the MSRA weights of Detectron2). The tensors
are the same: the wrong one trains all the same, and ends lower without a word.
"""

from typing import Any

from torch import nn

from mmselfemd.errors import UserValueError

_WHERE = dict(pytorch='3x3 convolution', caffe='first 1x1 convolution')


def check_style(checkpoint: Any, backbone: nn.Module, source: str) -> None:
    """Raise if weights were trained with their strides elsewhere.

    Args:
        checkpoint (Any): What was loaded. Where its ``meta`` has no
            ``style``, nothing is checked.
        backbone (nn.Module): The detector's; one without ``style`` passes.
        source (str): Where the weights came from, for the message.

    Raises:
        ValueError: If the styles differ.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    trained = meta.get('style') if isinstance(meta, dict) else None
    given = getattr(backbone, 'style', None)
    if trained in _WHERE and given in _WHERE and trained != given:
        raise UserValueError(
            f'pretrained={source!r} was trained with the strides of its '
            f"bottlenecks in the {_WHERE[trained]}, and the detector's "
            f'backbone has them in the {_WHERE[given]}. Set in the config '
            f'model.backbone.style={trained!r} (and that of '
            'roi_head.shared_head, where there is one).'
        )
