"""What a backbone's tensors do not tell, as its file records it.

``meta['pixel_convention']`` holds ``channel_order``, ``mean`` and ``std`` of
its input, for values from 0 to 255. Of a ResNet and its kin ``meta['style']``
says where a bottleneck has its stride: ``pytorch``, in the 3x3 convolution, or
``caffe``, in the first 1x1; ``meta['strides']`` and ``meta['dilations']`` hold
those of the stages. Networks that differ in them have the same tensors, so
that nothing but this tells them apart.

``meta['value_range']`` says which values of images of more than 8 bits became
0 and 255, and ``meta['bands']`` which bands became colours, where that was
set.
"""

import ast
import math
import re

from mmselfemd.errors import UserValueError

from .config_text import calls_in, values_in, variables_of

__all__ = [
    'CONVENTIONS',
    'IMAGE_VALUES',
    'LAYOUT',
    'read_convention',
]

#: Names in ``meta`` of how a ResNet is laid out; arguments of its class, too.
LAYOUT = ('style', 'strides', 'dilations')

#: Names in ``meta`` of what became 8-bit colour; settings of a config, too.
IMAGE_VALUES = ('value_range', 'bands')

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


def read_convention(meta: object, source: str = 'the checkpoint') -> dict:
    """Find what a checkpoint says about its input.

    A file that this package wrote says it by itself; a checkpoint of a run
    has the text of its config, which is parsed and never executed.

    Args:
        meta (object): The checkpoint's ``meta``.
        source (str): Where it came from, for the error.
            Defaults to 'the checkpoint'.

    Returns:
        dict: ``pixel_convention`` and those of :data:`LAYOUT` and
        :data:`IMAGE_VALUES`, as far as they are recorded; three numbers of
        mean and std each.

    Raises:
        UserValueError: If what is recorded cannot be meant.
    """
    if not isinstance(meta, dict):
        return {}
    names = ('pixel_convention', *LAYOUT, *IMAGE_VALUES)
    recorded = {name: meta[name] for name in names if name in meta}
    if not recorded:
        recorded = _read_config(meta.get('cfg'), source)
    _check_recorded(recorded, source)
    if pixels := recorded.get('pixel_convention'):
        # One number is that of each channel, as mmengine's preprocessors
        # have it; other readers take three.
        recorded['pixel_convention'] = pixels | {
            name: [*pixels[name]] * (3 // len(pixels[name]))
            for name in ('mean', 'std')
        }
    return {  # lists, which every format of file can hold
        name: list(value) if isinstance(value, (list, tuple)) else value
        for name, value in recorded.items()
    }


def _check_recorded(meta: dict, source: str) -> None:
    """Raise if what a checkpoint records cannot be meant.

    It is checked where it is used, and not where a file is loaded: what is
    broken can be said anew, by ``--convention``.
    """
    pixels = meta.get('pixel_convention')
    if 'pixel_convention' in meta and not (
        isinstance(pixels, dict)
        and pixels.get('channel_order') in ('RGB', 'BGR')
        and _are_numbers(pixels.get('mean'))
        and _are_numbers(pixels.get('std'))
        and min(pixels['std']) > 0
    ):
        raise UserValueError(
            f'{source}: its record of the pixels, meta.pixel_convention, is '
            "broken: expected a dict of channel_order, 'RGB' or 'BGR', and "
            'of mean and std, one or three numbers each. Import the backbone '
            'again with --convention.'
        )
    if meta.get('style', 'pytorch') not in ('pytorch', 'caffe'):
        raise UserValueError(
            f"{source}: its meta.style is neither 'pytorch' nor 'caffe'. "
            'Import the backbone again with --convention.'
        )
    for name in ('strides', 'dilations'):
        if name in meta and not _is_one_a_stage(meta[name]):
            raise UserValueError(
                f'{source}: its meta.{name} is broken: expected positive '
                'integers, one a stage.'
            )
    _check_image_values(meta, source)


def _check_image_values(meta: dict, source: str) -> None:
    values = meta.get('value_range', (0, 1))
    if not (
        isinstance(values, (list, tuple))
        and len(values) == 2
        and all(type(value) in (int, float) for value in values)
        and -math.inf < values[0] < values[1] < math.inf
    ):
        raise UserValueError(
            f'{source}: its meta.value_range is broken: expected two numbers, '
            'the smaller one first.'
        )
    bands = meta.get('bands', (0, 1, 2))
    if not (
        isinstance(bands, (list, tuple))
        and len(bands) in (1, 3)
        and all(type(band) is int and band >= 0 for band in bands)
    ):
        raise UserValueError(
            f'{source}: its meta.bands is broken: expected the numbers of one '
            'or three bands.'
        )


def _is_one_a_stage(values: object) -> bool:
    return (
        isinstance(values, (list, tuple))
        and 1 <= len(values) <= 4
        and all(type(value) is int and value > 0 for value in values)
    )


def _are_numbers(values: object) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) in (1, 3)  # as mmengine's preprocessors take
        and all(type(value) in (int, float) for value in values)
        and all(abs(value) < 1e6 for value in values)  # and not NaN
    )


def _read_config(text: object, source: str) -> dict:
    """Read what the text of a run's config says about its input."""
    if not isinstance(text, str):
        return {}
    try:
        tree = ast.parse(text)
        processing = calls_in(tree, 'data_preprocessor')
        # mmdet 2 and mmcls; OpenSelfSup's do not name the order.
        processing += [
            arguments
            for arguments in calls_in(tree, 'img_norm_cfg')
            if 'to_rgb' in arguments
        ]
        backbones = calls_in(tree, 'backbone')
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserValueError(
            f'{source}: its record of the config, meta.cfg, is no config '
            f'({type(error).__name__}).'
        ) from error
    recorded = _layout(backbones) | _image_values(tree)
    for arguments in processing:
        if (arguments.get('mean'), arguments.get('std')) == (None, None):
            continue  # it normalises nothing
        # mmengine and mmdet say bgr_to_rgb, mmpretrain to_rgb.
        to_rgb = arguments.get('to_rgb', arguments.get('bgr_to_rgb', False))
        recorded['pixel_convention'] = dict(
            channel_order='RGB' if to_rgb else 'BGR',
            mean=_floats(arguments.get('mean')),
            std=_floats(arguments.get('std')),
        )
        break
    return recorded


def _layout(backbones: list[dict]) -> dict:
    """Style, strides and dilations of the first ResNet among backbones."""
    for backbone in backbones:
        if _RESNETS.fullmatch(str(backbone.get('type'))):
            return {
                name: backbone.get(name, default)
                for name, default in _DEFAULTS.items()
            }
    return {}


def _image_values(tree: ast.Module) -> dict:
    """Each setting, of the step that loads training images or of the config.

    As ``mmselfemd.datasets.image_values.set_image_values`` has it: a step
    that has a value of its own keeps it.
    """
    variables = variables_of(tree)
    loader = variables.get('train_dataloader', ast.Constant(None))
    found: dict = {}
    for name in IMAGE_VALUES:
        of_config = [variables[name]] if name in variables else []
        for node in (*values_in(loader, name), *of_config):
            try:
                value = ast.literal_eval(node)
            except (TypeError, ValueError):  # a name, say
                continue
            if value is not None:
                found.setdefault(name, value)
    return found


def _floats(values: object) -> object:
    return list(map(float, values)) if _are_numbers(values) else values
