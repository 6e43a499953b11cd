"""Which annotation files a run uses, and how."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS
from torch import nn

from mmselfemd.datasets.annotations import Findings, Usage, checked_file
from mmselfemd.datasets.data_paths import walk

from .model import unwrap_model


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
            if not _reads_coco(dataset_type) or node.get('backend_args'):
                kind = f'{where}: {dataset_type.__name__}'
                findings.add('not-checked', node['ann_file'], [kind])
                continue
            own.append(
                Usage(
                    split,
                    _below(node, node['ann_file']),
                    _below(node, _image_prefix(node)),
                    _classes_of(node, dataset_type),
                    tuple(left_out),
                    (node.get('filter_cfg') or {}).get('min_size', 0),
                    _largest_scale(node.get('pipeline')),
                    needs_boxes,
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
        model (nn.Module): The detector.

    Returns:
        dict[str, int]: By the name of the setting, below the model.
    """
    model = unwrap_model(model)
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

    loader = cfg.get(f'{split}_dataloader') or {}
    where = f'{split}_dataloader.dataset'
    scope = cfg.get('default_scope')
    with DATASETS.switch_scope_and_registry(scope) as registry:
        for place, node in walk(loader.get('dataset') or {}, where):
            name = node.get('type')
            if not node.get('ann_file') or name is None:
                continue
            found = registry.get(name) if isinstance(name, str) else name
            if isinstance(found, type) and issubclass(found, BaseDetDataset):
                yield place, node, found


def _reads_coco(dataset_type: type) -> bool:
    from mmdet.datasets import CocoDataset

    return (
        issubclass(dataset_type, CocoDataset)
        and dataset_type.COCOAPI is CocoDataset.COCOAPI
    )


def _below(node: Mapping, path: str) -> str:
    """As mmengine's ``BaseDataset`` joins it."""
    return os.path.join(node.get('data_root') or '', path)


def _image_prefix(node: Mapping) -> str:
    prefix = node.get('data_prefix') or {}
    return prefix.get('img') or prefix.get('img_path') or ''


def _classes_of(
    node: Mapping, dataset_type: type
) -> tuple[str, ...] | str | None:
    """As ``BaseDataset`` takes them: it reads the name of a file, too."""
    metainfo = node.get('metainfo') or {}
    classes = metainfo.get('classes', dataset_type.METAINFO.get('classes'))
    if isinstance(classes, str) and os.path.isfile(classes):
        classes = list_from_file(classes)
    return tuple(classes) if isinstance(classes, list) else classes


def _largest_scale(pipeline: Any) -> tuple[int, int] | None:
    """Of the resizing in a pipeline, if there is any with a size."""
    scales = []
    for _, node in walk(pipeline or [], ''):
        if 'Resize' in str(node.get('type')):
            found = node.get('scales') or node.get('scale') or ()
            if found and isinstance(found[0], int):
                found = [found]
            scales += [tuple(s) for s in found if len(s) == 2]
    return max(scales, key=min, default=None)


def _are_there(usages: Sequence[Usage]) -> bool:
    return all(
        os.path.isfile(u.ann_file) and os.path.isdir(u.folder) for u in usages
    )


def _other_files(
    evaluators: Sequence[tuple[str, Mapping]], usages: Sequence[Usage]
) -> Findings:
    """Evaluators whose file has other images than the data set."""
    findings = Findings()
    if len(usages) != 1:
        return findings
    own = checked_file(usages[0].ann_file).table
    images = set() if own is None else set(own.image_ids.tolist())
    for where, node in evaluators:
        path = node.get('ann_file')
        if not path or node.get('backend_args') or own is None:
            continue
        other = checked_file(path).table
        if other is None or set(other.image_ids.tolist()) != images:
            findings.add(
                'evaluator-other-file',
                path,
                [f'{where}.ann_file, beside {usages[0].ann_file}'],
            )
    return findings
