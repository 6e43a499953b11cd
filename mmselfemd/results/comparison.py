"""In what a run is unlike the published one whose row it fills."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from mmengine.hub import get_config

from mmselfemd.settings.decisive_settings import decisive_settings
from mmselfemd.zoo.index import read_model_index
from mmselfemd.zoo.pretraining import WATCHING

from .paper import RANDOM, SUPERVISED
from .runs import DetectionRun

# Images of a set, by its name in the model index. mmdet trains on those of
# COCO that have boxes.
_IMAGES = {
    'COCO train2017': 117_266,
    'VOC 2007 and 2012 trainval': 16_551,
    'COCO train2017, without labels': 118_287,
    'COCO train2017 and unlabeled2017, without labels': 241_690,
    'ImageNet-1k, without labels': 1_281_167,
}
_VALIDATED = {
    'COCO train2017': 5_000,  # val2017
    'VOC 2007 and 2012 trainval': 4_952,  # VOC 2007 test
}
_PIPELINE = re.compile(r'(.*\.pipeline)\.\d+\..*')


class Published(NamedTuple):
    """What a config of the model index is run with.

    Attributes:
        settings (dict[str, Any]): See
            :func:`~mmselfemd.settings.decisive_settings.decisive_settings`.
        batch (int): Images of a step of the optimiser.
        processes (int): Of which each has its part of them.
        images (dict[str, int | None]): Images of ``train`` and ``val``; None
            where that is not known.
    """

    settings: dict[str, Any]
    batch: int
    processes: int
    images: dict[str, int | None]


@cache
def read_published(name: str) -> Published:
    """Read what a config of the model index is run with.

    Args:
        name (str): Its name.

    Returns:
        Published: The settings, the batch and the data.
    """
    entry = read_model_index()[name]
    config = entry['Config'].removeprefix('configs/')
    settings = decisive_settings(get_config(f'mmselfemd::{config}').to_dict())
    batch, data = (
        entry['Metadata'][key] for key in ('Batch Size', 'Training Data')
    )
    of_process = settings['train_dataloader.batch_size'] * settings.get(
        'optim_wrapper.accumulative_counts', 1
    )
    return Published(
        settings=settings,
        batch=batch,
        processes=batch // of_process,
        images=dict(train=_IMAGES.get(data), val=_VALIDATED.get(data)),
    )


def differences(run: DetectionRun) -> list[str]:
    """Say in what a run is unlike the published one.

    Args:
        run (DetectionRun): A run of a row of the paper's tables.

    Returns:
        list[str]: Such as ``'train_dataloader.batch_size=4 (published: 2)'``,
            settings first, then what was recorded of the run, then its
            backbone.
    """
    published = read_published(run.detector)
    found = list(_settings(run.settings, published.settings))
    for record in run.records:
        found += _execution(record, published)
        found += _backbone(record, run.pretraining)
    return list(dict.fromkeys(found))  # a run that was resumed says it twice


def _settings(theirs: dict, ours: dict) -> Iterator[str]:
    """Settings that differ; pipelines of other transforms as one."""
    done: dict[str, list] = {}
    paths = sorted(ours.keys() | theirs.keys())
    for path in sorted(paths, key=lambda path: path.startswith('test_')):
        match = _PIPELINE.fullmatch(path)
        if match and _transforms(ours, match[1]) != _transforms(
            theirs, match[1]
        ):
            path = match[1]
            values = [', '.join(_transforms(s, path)) for s in (theirs, ours)]
        elif path in theirs and path in ours and theirs[path] == ours[path]:
            continue
        else:
            values = [
                repr(s[path]) if path in s else None for s in (theirs, ours)
            ]
        if path in done:
            continue
        done[path] = values
        # The figures are the validation's; the test is mostly alike.
        twin = path.replace('test_', 'val_', 1)
        if twin == path or done.get(twin) != values:
            yield _said(path, *values)


def _said(path: str, theirs: str | None, ours: str | None) -> str:
    value = f'{path} not set' if theirs is None else f'{path}={theirs}'
    return f'{value} (published: {"not set" if ours is None else ours})'


def _transforms(settings: dict, pipeline: str) -> list[str]:
    """Types of a pipeline, in their order."""
    types = re.compile(rf'{re.escape(pipeline)}\.(\d+)\.type')
    found = [
        (int(match[1]), str(value))
        for path, value in settings.items()
        if (match := types.fullmatch(path))
    ]
    return [name for _, name in sorted(found)]


def _execution(record: dict | None, published: Published) -> Iterator[str]:
    """Processes, batch and images that differ."""
    wanted = {'batch_size', 'accumulation', 'processes', 'images'}
    if not isinstance(record, dict) or not wanted <= record.keys():
        yield 'processes and images were not recorded'
        return
    each, accumulated, processes = (
        record[key] for key in ('batch_size', 'accumulation', 'processes')
    )
    batch = each * accumulated * processes
    if (batch, processes) != (published.batch, published.processes):
        yield (
            f'{batch} images a step of the optimiser, on {processes} '
            f'{"process" if processes == 1 else "processes"} (published: '
            f'{published.batch} on {published.processes})'
        )
    for split, ours in published.images.items():
        theirs = record['images'][split]
        # A damaged file or two in training make no other set.
        tolerance = 0.01 if split == 'train' else 0
        if ours and abs((theirs or 0) - ours) > tolerance * ours:
            yield f'{split}: {theirs} images (published: {ours})'


def _backbone(record: dict | None, pretraining: str) -> Iterator[str]:
    """In what a backbone is unlike the one of the row."""
    if record is None:
        yield 'backbone: not recorded'
        return
    loaded = record['pretrained_backbone']
    known = loaded and loaded.get('pretraining')
    if pretraining == RANDOM and loaded:
        yield f'backbone: from {loaded["checkpoint"]}'
    elif pretraining == SUPERVISED and known:
        yield f'backbone: from {known.get("config", "pre-training")}'
    elif pretraining not in (RANDOM, SUPERVISED):
        if not known:
            yield (
                'backbone: its file does not say how it was pre-trained'
                if loaded
                else 'backbone: none was loaded'
            )
            return
        published = read_published(pretraining)
        yield from (
            f'backbone: {reason}' for reason in _pretraining(known, published)
        )


def _pretraining(known: dict, published: Published) -> Iterator[str]:
    by_epoch = 'train_cfg.max_epochs' in published.settings
    unit, length = (
        ('epoch', 'max_epochs') if by_epoch else ('iter', 'max_iters')
    )
    whole = published.settings[f'train_cfg.{length}']
    if known.get(unit) != whole:
        last = known['settings'].get(f'train_cfg.{length}')
        yield f'{unit} {known.get(unit)} of {last} (published: {whole})'
    yield from _settings(
        known['settings'],
        {
            path: value
            for path, value in published.settings.items()
            if not WATCHING.fullmatch(path)
        },
    )
    yield from _execution(known.get('run'), published)
