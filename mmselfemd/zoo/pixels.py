"""What a backbone's tensors do not tell, as its file records it.

``meta['pixel_convention']`` holds ``channel_order``, ``mean`` and ``std`` of
its input, for values from 0 to 255. Of a ResNet and its kin ``meta['style']``
says where a bottleneck has its stride: ``pytorch``, in the 3x3 convolution, or
``caffe``, in the first 1x1; ``meta['strides']`` and ``meta['dilations']`` hold
those of the stages. Networks that differ in them have the same tensors, so
that nothing but this tells them apart.
"""

import ast
import re

from mmselfemd.errors import UserValueError

__all__ = ['CONVENTIONS', 'LAYOUT', 'read_convention']

#: Names in ``meta`` of how a ResNet is laid out; arguments of its class, too.
LAYOUT = ('style', 'strides', 'dilations')

# mmpretrain's and mmdet's, whose defaults are these.
_RESNETS = re.compile(r'.*Res2?Ne(t|Xt|St)\w*')
_DEFAULTS = dict(style='pytorch', strides=[1, 2, 2, 2], dilations=[1, 1, 1, 1])

_RGB_MEAN = [123.675, 116.28, 103.53]
_RGB_STD = [58.395, 57.12, 57.375]

#: Named conventions: what goes into ``meta``.
CONVENTIONS: dict[str, dict] = {
    # torchvision/transforms: mean (0.485, 0.456, 0.406) and std (0.229,
    # 0.224, 0.225) of values from 0 to 1.
    'torchvision': dict(
        pixel_convention=dict(
            channel_order='RGB', mean=_RGB_MEAN, std=_RGB_STD
        ),
        style='pytorch',
    ),
    # Detectron2's ImageNetPretrained/MSRA: detectron2/config/defaults.py
    # (PIXEL_MEAN, PIXEL_STD, STRIDE_IN_1X1).
    'msra': dict(
        pixel_convention=dict(
            channel_order='BGR',
            mean=[103.53, 116.28, 123.675],
            std=[1.0, 1.0, 1.0],
        ),
        style='caffe',
    ),
    # Detectron2's ImageNetPretrained/FAIR, X-101-32x8d:
    # configs/COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x.yaml.
    'fair': dict(
        pixel_convention=dict(
            channel_order='BGR',
            mean=[103.53, 116.28, 123.675],
            std=[57.375, 57.12, 58.395],
        ),
        style='pytorch',
    ),
}


def read_convention(meta: object) -> dict:
    """Find what a checkpoint says about its input.

    A file that this package wrote says it by itself; a checkpoint of a run
    has the text of its config, which is parsed and never executed.

    Args:
        meta (object): The checkpoint's ``meta``.

    Returns:
        dict: ``pixel_convention`` and those of :data:`LAYOUT`, as far as they
        are recorded.

    Raises:
        ValueError: If strides or dilations are recorded that cannot be.
    """
    if not isinstance(meta, dict):
        return {}
    names = ('pixel_convention', *LAYOUT)
    if recorded := {name: meta[name] for name in names if name in meta}:
        return _checked(recorded)
    text = meta.get('cfg')
    try:
        tree = ast.parse(text) if isinstance(text, str) else None
    except SyntaxError:
        tree = None
    for arguments in _calls(tree, 'data_preprocessor'):
        if {'mean', 'std'} <= arguments.keys():
            break
    else:
        return _checked(_layout(tree))
    # mmengine and mmdet say bgr_to_rgb, mmpretrain to_rgb.
    to_rgb = arguments.get('to_rgb', arguments.get('bgr_to_rgb', False))
    return _checked(
        dict(
            pixel_convention=dict(
                channel_order='RGB' if to_rgb else 'BGR',
                mean=[float(value) for value in arguments['mean']],
                std=[float(value) for value in arguments['std']],
            ),
            **_layout(tree),
        )
    )


def _layout(tree: ast.AST | None) -> dict:
    """Style, strides and dilations of the backbone of a config."""
    for backbone in _calls(tree, 'backbone'):
        if _RESNETS.fullmatch(str(backbone.get('type'))):
            return {
                name: backbone.get(name, default)
                for name, default in _DEFAULTS.items()
            }
    return {}


def _checked(recorded: dict) -> dict:
    """Strides and dilations as lists, which every format of file can hold."""
    for name in ('strides', 'dilations'):
        values = recorded.get(name, [1])
        if not (
            isinstance(values, list | tuple)
            and 1 <= len(values) <= 4
            and all(type(value) is int and value > 0 for value in values)
        ):
            raise UserValueError(
                f'The file records {name}={values!r} of its backbone: '
                'expected positive integers, one a stage.'
            )
        if name in recorded:
            recorded[name] = list(values)
    return recorded


def _calls(tree: ast.AST | None, name: str) -> list[dict]:
    """The literal arguments of each ``name=dict(...)`` of a config."""
    calls = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign):
            names = [getattr(target, 'id', None) for target in node.targets]
        elif isinstance(node, ast.keyword):
            names = [node.arg]
        else:
            continue
        if name in names and isinstance(node.value, ast.Call):
            calls.append(_literals(node.value))
    return calls


def _literals(call: ast.Call) -> dict:
    arguments = {}
    for keyword in call.keywords:
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:  # a nested dict(): not what is looked for
            continue
    return arguments
