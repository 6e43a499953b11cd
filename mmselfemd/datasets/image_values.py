"""Settings of the pixels of all images of a run, and whether they fit.

``value_range`` and ``bands`` stand in a config by themselves, like
``pretrained``: one line, for each pipeline of pre-training and of a detector.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import BaseDataset

from mmselfemd.errors import UserError

from .pictures import ValueMapping, open_picture
from .pictures.kinds import is_plain, kind_of
from .pictures.measuring import (
    ValueSample,
    range_setting,
    sample_of,
    written,
)
from .pipelines import pipelines_of, type_name
from .transforms import LoadImage
from .transforms.encoded_image import BrokenImageError, UnfitBandsError

#: Names of the settings in a config.
SETTINGS = ('value_range', 'bands')

#: How many images of a data set are looked at.
NUM_LOOKED_AT = 16

# In mmdet's scope the last one is the second, too.
_OUR_STEPS = ('LoadImage', 'LoadDetectionImage', 'LoadImageFromFile')

_SPLITS = ('train', 'val', 'test')
_MOST_OUTSIDE = 0.5  # of the values, beyond a value_range that is set
_BOTH = 'in the config of pre-training and of the detector alike'


def set_image_values(cfg: Config) -> None:
    """Hand ``value_range`` and ``bands`` of a config to what loads its images.

    mmdet's ``LoadImageFromFile``, which knows neither, becomes
    :class:`LoadDetectionImage` where one is set. A step that has a value of
    its own keeps it.

    Args:
        cfg (Config): The config, with the command line's settings; changed.

    Raises:
        UserValueError: If ``value_range`` or ``bands`` is none.
    """
    given = {name: cfg.get(name) for name in SETTINGS}
    ValueMapping(**given, where='the config')  # raises
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return
    loaders = [cfg.get(f'{split}_dataloader') for split in _SPLITS]
    loaders.append(dict(pipeline=cfg.get('tta_pipeline')))  # mmdet's --tta
    for pipeline in pipelines_of(loaders):
        for step in pipeline:
            if type_name(step) == 'LoadImageFromFile':
                step['type'] = 'mmselfemd.LoadDetectionImage'
            if type_name(step) in _OUR_STEPS[:2]:
                own = {n: v for n, v in step.items() if v is not None}
                step.update(given | own)


def set_inferencer_values(cfg: Config) -> None:
    """Hand the settings to a detector's pipeline as `DetInferencer` takes it.

    mmdet's ``DetInferencer`` looks for the name ``LoadImageFromFile``, and
    puts ``InferencerLoader`` in its place, which is ours from here on.

    Args:
        cfg (Config): A detector's config; changed.

    Raises:
        UserValueError: If ``value_range`` or ``bands`` is none.
    """
    # Not above: it needs the whole of mmdet.
    from .transforms import inferencer_loader  # noqa: F401

    set_image_values(cfg)
    for pipeline in pipelines_of(cfg.get('test_dataloader') or {}):
        for step in pipeline:
            if type_name(step) == 'LoadDetectionImage':
                step['type'] = 'LoadImageFromFile'


def mapping_of(cfg: Config, split: str = 'train') -> ValueMapping:
    """How a config makes 8-bit colour of images.

    Args:
        cfg (Config): The config.
        split (str): Whose images: ``train``, ``val`` or ``test``. Defaults to
            'train'.

    Returns:
        ValueMapping: By ``value_range`` and ``bands`` of the step that loads
        the images, or else of the config.
    """
    given = {name: cfg.get(name) for name in SETTINGS}
    for pipeline in pipelines_of(cfg.get(f'{split}_dataloader') or {}):
        for step in pipeline:
            if type_name(step) in _OUR_STEPS:
                own = {name: step.get(name) for name in SETTINGS}
                given |= {n: v for n, v in own.items() if v is not None}
                return ValueMapping(**given)
    return ValueMapping(**given)


def for_arrays(cfg: Config) -> Config:
    """Take the settings out of the pipeline of the test images.

    mmdet puts its loading of arrays, which are 8-bit colour, in the place of
    that of files, with the same arguments.

    Args:
        cfg (Config): A detector's config.

    Returns:
        Config: A copy without them.
    """
    cfg = deepcopy(cfg)
    for pipeline in pipelines_of(cfg.get('test_dataloader') or {}):
        for name in SETTINGS:
            pipeline[0].pop(name, None)
    return cfg


def check_input_channels(cfg: Config) -> None:
    """Raise if a backbone takes another number of channels than three.

    Args:
        cfg (Config): The config.

    Raises:
        UserError: If it does.
    """
    backbone = (cfg.get('model') or {}).get('backbone') or {}
    channels = backbone.get('in_channels', 3)
    if channels != 3:
        raise UserError(
            f'model.backbone.in_channels={channels}: images are trained on '
            'as three channels of 8 bits, since the changes of colour and '
            'the backbones of others are for three. Leave it at 3, and pick '
            'three bands by bands=(0, 1, 2), or one, e.g. bands=(3,)'
        )


def loading_of(dataset: Any) -> Iterator[tuple[BaseDataset, Any]]:
    """Find what loads the images, through data sets of data sets.

    Args:
        dataset (Any): A built data set.

    Yields:
        tuple[BaseDataset, Any]: Each innermost data set, and its step of type
        ``LoadImage``, ``LoadDetectionImage`` or ``LoadImageFromFile``.
    """
    inner = getattr(dataset, 'datasets', None)
    if inner is None and hasattr(dataset, 'dataset'):
        inner = [dataset.dataset]
    if inner is not None:
        for each in inner:
            yield from loading_of(each)
    elif isinstance(dataset, BaseDataset):
        steps = getattr(dataset.pipeline, 'transforms', ())
        for step in steps:
            if isinstance(step, LoadImage | LoadImageFromFile):
                yield dataset, step
                break


def check_settings_arrived(
    load: Any, cfg: Config, images: str = 'training'
) -> None:
    """Raise if a config's settings are not those of its pipeline.

    mmdet's own tools do not hand them on.

    Args:
        load (Any): The step that loads images, built.
        cfg (Config): The config.
        images (str): Which ones, for the error. Defaults to 'training'.

    Raises:
        UserError: If one is set, and the step has none.
    """
    mapping = getattr(load, 'mapping', None) or ValueMapping()
    for name in SETTINGS:
        value = cfg.get(name)
        if value is not None and getattr(mapping, name) is None:
            raise UserError(
                f'{name}={value} is set, but the pipeline of the {images} '
                "images does not have it: use this project's "
                'tools/train.py and tools/test.py, or set in each pipeline '
                "pipeline.0=dict(type='mmselfemd.LoadDetectionImage', "
                f'{name}={value})'
            )


def check_image_values(dataset: BaseDataset, load: Any) -> None:
    """Raise if images would come in nearly black, or not at all.

    Some images are looked at, always the same; those of 8 bits cost no more
    than to be read.

    Args:
        dataset (BaseDataset): The data set.
        load (Any): Its step that loads images, built. Images of a database or
            a server are not looked at.

    Raises:
        UserError: If they need ``value_range`` or ``bands``, if those that
            are set do not fit, or if no image can be read.
    """
    count = min(NUM_LOOKED_AT, len(dataset))
    paths = [
        dataset.get_data_info(number * len(dataset) // count)['img_path']
        for number in range(count)
    ]
    if getattr(load, 'backend_args', None) or any('://' in p for p in paths):
        return
    mapping = getattr(load, 'mapping', None) or ValueMapping()
    sample, faults = ValueSample(), {}
    for path in paths:
        try:
            with open(path, 'rb') as file:
                content = file.read()
            is_known = kind_of(content) and is_plain(content)
            if is_known and mapping.keeps_colours:
                continue
            picture = open_picture(content)
            pixels = mapping.picked(picture)
            values = sample_of(picture, pixels)
            sample.add(str(pixels.dtype), picture.full_range, values)
        except UnfitBandsError as error:
            raise UserError(f'{path}: {error}, {_BOTH}') from error
        except (OSError, BrokenImageError) as error:
            faults[path] = str(error).strip()
    _raise_faults(faults, count)
    _check_range(sample, mapping, len(paths))


def _raise_faults(faults: dict[str, str], count: int) -> None:
    if len(faults) == count:
        path, fault = next(iter(faults.items()))
        raise UserError(
            f'None of the {count} training images looked at can be read. '
            f'The first is {path}: {fault}'
        )


def _check_range(
    sample: ValueSample, mapping: ValueMapping, count: int
) -> None:
    measured = sample.measured()
    looked_at = f'{count} training images were looked at.'
    if mapping.value_range is not None:
        share = sample.share_outside(mapping.value_range)
        if share > _MOST_OUTSIDE:
            found = written(range_setting(measured))
            raise UserError(
                f'{looked_at} {100 * share:.0f} % of their values lie '
                f'outside value_range={written(mapping.value_range)}, and '
                'would be black or white: they lie within '
                f'value_range={found}. Set it {_BOTH}'
            )
        return
    for each in measured:
        if each.needs_range:
            used = written(each.used)
            option = used.strip('()').replace(' ', '')
            have = 'has' if each.num_pictures == 1 else 'have'
            raise UserError(
                f'{looked_at} {each.num_pictures} of them {have} more than 8 '
                f'bits: {each.describe()}; what would be left of that is '
                'nearly nothing. Set, '
                f'{_BOTH}, value_range={used} (--cfg-options '
                f'value_range={option}); tools/check_images.py DIR measures '
                'it over all images'
                + (
                    ''
                    if each.full_range is None
                    else '. To train on them as they are: '
                    f'value_range={written(each.full_range)}'
                )
            )
