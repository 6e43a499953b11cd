"""Networks that look like the known ones and are not, in words."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor

__all__ = ['what_it_is']

Shapes = Mapping[str, tuple[int, ...]]


class _Lookalike(NamedTuple):
    words: str
    is_it: Callable[[Shapes], bool]


def _named(pattern: str) -> Callable[[Shapes], bool]:
    """Whether a name has this in it."""
    compiled = re.compile(pattern)
    return lambda shapes: any(map(compiled.search, shapes))


# The first convolution, and none of a block's: `0.conv1` is one.
_STEM = re.compile(r'(?<!\d\.)\bconv1\.weight')
_NORM = re.compile(r'(?<!\d\.)\bbn1\.(weight|running_mean)')


def _has_small_stem(shapes: Shapes) -> bool:
    return any(
        _STEM.search(name) and tuple(shape[2:]) == (3, 3)
        for name, shape in shapes.items()
    )


def _has_no_statistics(shapes: Shapes) -> bool:
    found = {
        match.group(1) for name in shapes if (match := _NORM.search(name))
    }
    return found == {'weight'}


def _has_no_norm(shapes: Shapes) -> bool:
    has_bias = any(
        re.search(r'(?<!\d\.)\bconv1\.bias', name) for name in shapes
    )
    return has_bias and not any(map(_NORM.search, shapes))


def _is_wide(shapes: Shapes) -> bool:
    stem = shapes.get('conv1.weight', ())
    first = shapes.get('layer1.0.conv1.weight', ())
    second = shapes.get('layer1.0.conv2.weight', ())
    last = shapes.get('layer1.0.conv3.weight', ())
    if not len(stem) == len(first) == len(second) == len(last) == 4:
        return False
    is_grouped = first[0] > second[1]
    return not is_grouped and last[0] == 4 * stem[0] < 4 * first[0]


_LOOKALIKES = (
    _Lookalike(
        "a ResNet of CLIP's: three convolutions at its beginning, average "
        'pooling in the place of strides, and attention at its end',
        _named(r'\battn_?pool\b|^head\.pos_embed'),  # theirs, timm's,
    ),
    _Lookalike(
        'a vision transformer',
        _named(r'\bpatch_embed|\bblocks\.\d+\.attn|\.layer\.\d+\.attention'),
    ),
    _Lookalike(
        'a network with group norm, whose statistics are of each image: '
        'nothing here has it',
        _named(r'_gn_[sb]$|\bgn\d?\.(weight|bias)$'),
    ),
    _Lookalike(
        "a network of Detectron's whose batch norm is fused into a scale and "
        "a bias (_bn_s, _bn_b), without its statistics. Take Detectron2's "
        'file of the same network, which has them',
        lambda shapes: (
            _named(r'_bn_s$')(shapes)
            and not _named(r'_bn_(rm|riv|running_\w+)$')(shapes)
        ),
    ),
    _Lookalike(
        'a network whose norm has no running statistics: group norm, or '
        'batch norm that was fused into a scale and a bias. A detector with '
        'batch norm would compute something else with it',
        _has_no_statistics,
    ),
    _Lookalike(
        'a network whose batch norm was fused into its convolutions. Take '
        'the file from before the fusion',
        _has_no_norm,
    ),
    _Lookalike(
        'a ResNet-C or ResNet-D: three 3x3 convolutions at its beginning in '
        'the place of the 7x7',
        _named(r'(?<!\d\.)\b(conv1|stem)\.[036]\.weight'),
    ),
    _Lookalike(
        'a ResNet for small images, such as those of CIFAR: its first '
        'convolution is 3x3 and not 7x7 (and has no stride and no pooling '
        'behind it), so that its maps are of other strides',
        _has_small_stem,
    ),
    _Lookalike(
        'a wide ResNet: its blocks are wider inside than they are outside',
        _is_wide,
    ),
    _Lookalike(
        'a ResNet with attention in its blocks (squeeze and excitation, or '
        'its kin)',
        _named(r'layer\d\.\d+\.(se|eca|cbam)\b'),
    ),
)


def what_it_is(weights: Mapping[str, Tensor]) -> str:
    """Say which known network of another kind tensors are of.

    Args:
        weights (Mapping[str, Tensor]): Names, ours or theirs, and tensors.

    Returns:
        str: What it is; empty if it is none of these.
    """
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    return next((kind.words for kind in _LOOKALIKES if kind.is_it(shapes)), '')
