"""Which annotation files a run uses, and how."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS
from torch import nn

from mmselfemd.datasets import ObjectDataset
from mmselfemd.datasets.annotations import (
    Findings,
    Usage,
    checked_file,
    shown,
)
from mmselfemd.datasets.annotations.classes import check_classes
from mmselfemd.datasets.annotations.kinds import WITHOUT_BOXES
from mmselfemd.datasets.data_paths import walk
from mmselfemd.datasets.pipelines import type_name
from mmselfemd.errors import UserValueError


def usages_of(
    cfg: Config, splits: Sequence[str], left_out: Sequence[str] = ()
) -> tuple[list[Usage], Findings]:
    """Find the data sets of a config that read COCO files.

    Args:
        cfg (Config): A whole config of a detector.
        splits (Sequence[str]): Of ``train``, ``val`` and ``test``. A test
            set that is not there is passed over where ``train`` is among
            them.
        left_out (Sequence[str]): Categories that are not wanted. Defaults to
            ().

    Returns:
        tuple[list[Usage], Findings]: How they are used; and data sets that
        cannot be checked, and evaluators that read another file.
    """
    usages, findings = [], Findings()
    for split in splits:
        own = []
        evaluators = list(
            walk(cfg.get(f'{split}_evaluator') or {}, f'{split}_evaluator')
        )
        needs_boxes = not any(e.get('format_only') for _, e in evaluators)
        for where, node, dataset_type in _labelled(cfg, split):
            kind = f'{where}: {dataset_type.__name__}'
            if not _reads_coco(dataset_type):
                findings.add('not-checked', str(node['ann_file']), [kind])
                continue
            ann_file = _below(node, _path_in(node, 'ann_file', where), where)
            if _is_elsewhere(node, ann_file):
                findings.add('not-checked', ann_file, [kind])
                continue
            own.append(
                Usage(
                    split,
                    ann_file,
                    _image_folder(node, where),
                    _classes_of(node, dataset_type, where),
                    tuple(left_out),
                    _min_size(node, where),
                    _largest_scale(node.get('pipeline')),
                    needs_boxes,
                    _masks_of(node.get('pipeline')),
                    where,
                )
            )
        if split == 'test' and 'train' in splits and not _are_there(own):
            continue
        usages += own
        findings.extend(_other_files(evaluators, own))
    return usages, findings


def num_classes_of(model: nn.Module) -> dict[str, int]:
    """Number of classes of each head of a detector.

    Not looked at are heads of proposals, which have one class, of semantic
    segmentation, whose classes are others, heads that know no class, and
    models that read the names of the classes. Of a head that also segments
    stuff, the things are meant.

    Args:
        model (nn.Module): The detector, without the wrapper for several
            processes.

    Returns:
        dict[str, int]: By the name of the setting, below the model.
    """
    if hasattr(model, 'language_model'):
        return {}
    found = {}
    for name, module in model.named_modules():
        setting = 'num_classes'
        if hasattr(module, 'num_things_classes'):
            setting = 'num_things_classes'
        number = getattr(module, setting, None)
        if (
            isinstance(number, int)
            and 'head' in name
            and 'semantic' not in name
            and 'RPN' not in type(module).__name__
            and 'rpn' not in name
            and not getattr(module, 'class_agnostic', False)
        ):
            found[f'{name}.{setting}'] = number
    return found


def _labelled(cfg: Config, split: str) -> Iterator[tuple[str, Mapping, type]]:
    """The data sets with boxes of a split: place, config and class."""
    from mmdet.datasets import BaseDetDataset

    loader = _dict_in(cfg, f'{split}_dataloader')
    where = f'{split}_dataloader.dataset'
    scope = cfg.get('default_scope')
    with DATASETS.switch_scope_and_registry(scope) as registry:
        for place, node in walk(loader.get('dataset') or {}, where):
            name = node.get('type')
            if not node.get('ann_file') or name is None:
                continue
            found = registry.get(name) if isinstance(name, str) else name
            if isinstance(found, type) and issubclass(
                found, BaseDetDataset | ObjectDataset
            ):
                yield place, node, found


def _reads_coco(dataset_type: type) -> bool:
    """Whether it reads as ``CocoDataset``; LVIS, derived from it, does not."""
    from mmdet.datasets import CocoDataset

    return issubclass(dataset_type, ObjectDataset) or (
        issubclass(dataset_type, CocoDataset)
        and dataset_type.COCOAPI is CocoDataset.COCOAPI
        and dataset_type.load_data_list is CocoDataset.load_data_list
    )


def _is_elsewhere(node: Mapping, path: str = '') -> bool:
    """Whether another backend than the disk is asked for, as mmengine does."""
    backend = (node.get('backend_args') or {}).get('backend', 'local')
    return backend != 'local' or '://' in path


def _path_in(node: Mapping, name: str, where: str) -> str:
    path = node.get(name) or ''
    if not isinstance(path, str | os.PathLike):
        raise UserValueError(
            f'{where}.{name} is {shown(path)}, and one path is expected; '
            'several annotation files are data sets of a ConcatDataset'
        )
    return os.fspath(path)


def _dict_in(node: Mapping, name: str, where: str = '') -> Mapping:
    found = node.get(name) or {}
    if not isinstance(found, Mapping):
        setting = f'{where}.{name}'.lstrip('.')
        raise UserValueError(
            f'{setting} is {shown(found)}, and a dict is expected'
        )
    return found


def _below(node: Mapping, path: str, where: str) -> str:
    """As mmengine's ``BaseDataset`` joins it."""
    if '://' in path:
        return path
    return os.path.join(_path_in(node, 'data_root', where), path)


def _image_folder(node: Mapping, where: str) -> str | None:
    """Where the images are; None if not on this disk."""
    prefixes = _dict_in(node, 'data_prefix', where)
    name = 'img' if prefixes.get('img') else 'img_path'
    prefix = _path_in(prefixes, name, f'{where}.data_prefix')
    folder = _below(node, prefix, where)
    loaders = [
        step
        for _, step in walk(node.get('pipeline') or [], '')
        if _loads_image(type_name(step))
    ]
    if '://' in folder or any(map(_is_elsewhere, loaders)):
        return None
    return folder


def _loads_image(name: str) -> bool:
    """Such as ``LoadDetectionImage`` and ``LoadImageFromFile``."""
    return name.startswith('Load') and 'Image' in name


def _min_size(node: Mapping, where: str) -> float:
    found = _dict_in(node, 'filter_cfg', where).get('min_size', 0)
    if not isinstance(found, int | float):
        raise UserValueError(
            f'{where}.filter_cfg.min_size is {shown(found)}, and a number of '
            'pixels is expected'
        )
    return found


def _classes_of(node: Mapping, dataset_type: type, where: str) -> Any:
    """As ``BaseDataset`` takes them: it reads the name of a file, too."""
    metainfo = _dict_in(node, 'metainfo', where)
    if 'classes' not in metainfo:
        classes = dataset_type.METAINFO.get('classes')
    else:  # None stands for no class at all; mmdet fails with it
        classes = metainfo['classes'] or ()
    if isinstance(classes, str) and os.path.isfile(classes):
        classes = list_from_file(classes)
    return tuple(classes) if isinstance(classes, list) else classes


def _largest_scale(pipeline: Any) -> tuple[float, float] | None:
    """Of the resizing in a pipeline, if there is any with a size."""
    scales = []
    for _, node in walk(pipeline or [], ''):
        if 'Resize' in type_name(node):
            found = node.get('scales') or node.get('scale')
            if isinstance(found, int):
                found = (found, found)
            if _is_scale(found):
                found = [found]
            if isinstance(found, list | tuple):
                scales += [tuple(each) for each in found if _is_scale(each)]
    return max(scales, key=min, default=None)


def _masks_of(pipeline: Any) -> str:
    """Which masks a pipeline loads, for :class:`Usage`."""
    for _, node in walk(pipeline or [], ''):
        is_loading = type_name(node).endswith('LoadAnnotations')
        if is_loading and node.get('with_mask'):
            return 'all' if node.get('poly2mask', True) else 'polygons'
    return ''


def _is_scale(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(isinstance(side, int | float) and side > 0 for side in value)
    )


def _are_there(usages: Sequence[Usage]) -> bool:
    return all(
        os.path.isfile(u.ann_file)
        and (u.folder is None or os.path.isdir(u.folder))
        for u in usages
    )


def _other_files(
    evaluators: Sequence[tuple[str, Mapping]], usages: Sequence[Usage]
) -> Findings:
    """Evaluators whose file has other images or classes, or own faults."""
    findings = Findings()
    named = [
        (f'{where}.ann_file', path)
        for where, node in evaluators
        if (path := _path_in(node, 'ann_file', where))
        and not _is_elsewhere(node, path)
    ]
    types = [type_name(node) for _, node in evaluators]
    if not usages or not named or 'MultiDatasetsEvaluator' in types:
        return findings
    tables = [checked_file(usage.ann_file).table for usage in usages]
    if any(table is None for table in tables):
        return findings
    # Of several data sets, an id that two have is no one's.
    images = sorted(i for t in tables for i in t.image_ids.tolist())
    for setting, path in named:
        checked = checked_file(path)
        other = checked.table
        if len(tables) == 1 and other is tables[0]:
            continue
        found = checked.findings
        if not usages[0].needs_boxes:
            found = found.without(WITHOUT_BOXES)
        findings.extend(found)
        if other is None:
            continue
        if usages[0].classes is not None and not found.stops:
            findings.extend(
                check_classes(other, usages[0].classes, usages[0].left_out)
            )
        if sorted(other.image_ids.tolist()) != images:
            beside = ', '.join(usage.ann_file for usage in usages)
            findings.add(
                'evaluator-other-file', path, [f'{setting}, beside {beside}']
            )
    return findings
