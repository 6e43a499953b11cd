"""Annotation files with all that they are used with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from .boxes import check_small_boxes
from .classes import (
    are_names,
    check_classes,
    check_num_classes,
    check_rare_classes,
)
from .content import checked_file
from .findings import Findings
from .image_files import Keys, check_images
from .kinds import WITHOUT_BOXES
from .splits import check_names, check_splits
from .table import CocoTable


@dataclass(frozen=True)
class Usage:
    """How a run uses an annotation file.

    Attributes:
        split (str): ``train``, ``val`` or ``test``.
        ann_file (str): The file.
        folder (str | None): Folder of its images; None if they are not on
            this disk.
        classes (Any): Names, in the order of labels; None: the file's own.
            What is no tuple of texts is a fault that is told.
        left_out (tuple[str, ...]): Categories that are not wanted.
        min_size (float): Images with a shorter side are left out.
        scale (tuple[float, float] | None): The largest size that images are
            resized to; None: as they are.
        needs_boxes (bool): Whether boxes are learnt from or compared with.
        masks (Literal['', 'all', 'polygons']): Which masks are loaded.
        setting (str): Where it stands in the config.
    """

    split: str
    ann_file: str
    folder: str | None = None
    classes: Any = None
    left_out: tuple[str, ...] = ()
    min_size: float = 0
    scale: tuple[float, float] | None = None
    needs_boxes: bool = True
    masks: Literal['', 'all', 'polygons'] = ''
    setting: str = ''


def check_file(
    ann_file: str,
    folder: str | None = None,
    classes: Sequence[str] | None = None,
    left_out: Sequence[str] = (),
    masks: Literal['', 'all', 'polygons'] = '',
) -> Findings:
    """Check one file by itself.

    Args:
        ann_file (str): The annotation file.
        folder (str, optional): Folder of its images. Defaults to None: they
            are not looked at.
        classes (Sequence[str], optional): Names of the wanted classes.
            Defaults to None: those of the file.
        left_out (Sequence[str]): Categories whose boxes are not wanted.
            Defaults to ().
        masks (Literal['', 'all', 'polygons']): Which masks are wanted.
            Defaults to '': none, and none is looked at.

    Returns:
        Findings: All that was found.

    Raises:
        UserFileNotFoundError: If there is no such file.
    """
    if are_names(classes):
        classes = tuple(classes)
    return check_usages(
        [
            Usage(
                'train',
                ann_file,
                folder,
                classes,
                tuple(left_out),
                masks=masks,
            )
        ]
    )


def check_usages(
    usages: Sequence[Usage], num_classes: dict[str, int] | None = None
) -> Findings:
    """Check all files of a run.

    Args:
        usages (Sequence[Usage]): The files, and how they are used.
        num_classes (dict[str, int], optional): Number of classes of each
            head of the model, by the name of the setting. Defaults to None.

    Returns:
        Findings: All that was found.

    Raises:
        UserFileNotFoundError: If there is no such file.
    """
    findings = Findings()
    seen: list[tuple[Usage, CocoTable, Keys | None]] = []
    by_content: dict[tuple, tuple[CocoTable | None, Keys | None]] = {}
    by_classes: dict[tuple, set[str]] = {}
    for usage in usages:
        key = (os.path.abspath(usage.ann_file), usage.folder)
        if key not in by_content:
            found, table, keys = _check_by_itself(usage)
            findings.extend(found)
            by_content[key] = table, keys
        table, keys = by_content[key]
        if table is None:
            continue
        seen.append((usage, table, keys))
        done = by_classes.setdefault(key, set())
        if repr(usage.classes) not in done:
            done.add(repr(usage.classes))
            findings.extend(_check_use(usage, table))
    findings.extend(_check_labels([u for u, _, _ in seen], num_classes or {}))
    findings.extend(_check_apart(seen))
    return findings


def _check_by_itself(
    usage: Usage,
) -> tuple[Findings, CocoTable | None, Keys | None]:
    """The file, and its images."""
    findings = Findings()
    checked = checked_file(usage.ann_file)
    found = checked.findings
    findings.extend(
        found if usage.needs_boxes else found.without(WITHOUT_BOXES)
    )
    if usage.masks and usage.needs_boxes:
        findings.extend(checked.check_masks(usage.masks == 'polygons'))
    table, keys = checked.table, None
    if table is not None and usage.folder is not None:
        found, keys = check_images(table, usage.folder)
        findings.extend(found)
    return findings, table, keys


def _check_use(usage: Usage, table: CocoTable) -> Findings:
    """A file beside the classes, and what is left out of it."""
    findings = Findings()
    classes = usage.classes
    if classes is not None:
        findings.extend(check_classes(table, classes, usage.left_out))
    if usage.split != 'train' or not usage.needs_boxes or findings.stops:
        return findings
    if classes is None:  # Roboflow puts one without boxes over all others
        with_boxes = np.unique(table.category_index).tolist()
        classes = [table.category_names[row] for row in with_boxes]
    findings.extend(check_rare_classes(table, classes))
    findings.extend(check_small_boxes(table, usage.scale))
    sides = table.sizes.min(1, initial=usage.min_size)
    small = np.flatnonzero(sides < usage.min_size)
    findings.add(
        'image-too-small',
        table.file,
        [f'image {table.image_name(row)}' for row in small],
    )
    return findings


def _check_labels(
    usages: Sequence[Usage], num_classes: dict[str, int]
) -> Findings:
    """Whether a label is the same everywhere."""
    findings = Findings()
    named = [u for u in usages if u.classes and are_names(u.classes)]
    for classes, usage in {u.classes: u for u in reversed(named)}.items():
        findings.extend(check_num_classes(num_classes, classes, usage.setting))
    trained = [u for u in named if u.split == 'train']
    for usage in named:
        if trained and usage.classes != trained[0].classes:
            findings.add(
                'classes-differ',
                usage.setting,
                [f'{list(usage.classes)}, {list(trained[0].classes)}'],
            )
    return findings


def _check_apart(
    seen: Sequence[tuple[Usage, CocoTable, Keys | None]],
) -> Findings:
    """Whether training has what validation or test have."""
    findings = Findings()
    train = [each for each in seen if each[0].split == 'train']
    others = {
        (table.file, usage.folder): (table, keys)
        for usage, table, keys in seen
        if usage.split != 'train'
    }.values()
    findings.extend(
        check_splits(
            [keys for _, _, keys in train if keys],
            [(table, keys) for table, keys in others if keys],
        )
    )
    unseen = [table for table, keys in others if keys is None]
    if any(keys is None for _, _, keys in train):
        unseen = [table for table, _ in others]
    findings.extend(check_names([table for _, table, _ in train], unseen))
    return findings
