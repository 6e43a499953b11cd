"""The classes and images of annotation files, checked."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmselfemd.datasets.annotations import (
    MENDED,
    SAID,
    Usage,
    check_usages,
    checked_file,
)
from mmselfemd.datasets.annotations.table import CocoTable
from mmselfemd.errors import UserValueError

#: As mmdet's configs for COCO have it: smaller images are left out.
MIN_SIZE = 32
_SCALE = (1333, 800)  # the largest that images are resized to


class Labels(NamedTuple):
    """What is to be known of a train and a val file.

    Attributes:
        classes (tuple[str, ...]): Names of the categories that have boxes,
            in the order of the train file.
        num_images (int): Images of the train file that are trained on.
        train_images (list[str]): Names of all images of the train file.
        val_images (list[str]): Likewise, of the val file.
        has_other_masks (bool): Whether masks are learnt, and some of the
            train file are no polygons.
    """

    classes: tuple[str, ...]
    num_images: int
    train_images: list[str]
    val_images: list[str]
    has_other_masks: bool


def check_labels(
    train: str,
    val: str,
    train_folder: str,
    val_folder: str,
    with_masks: bool,
    report: Callable[[str], None],
) -> Labels:
    """Check a train and a val file with all that they are used with.

    Args:
        train (str): The annotation file of training.
        val (str): That of validation.
        train_folder (str): Folder of the images of training.
        val_folder (str): That of validation.
        with_masks (bool): Whether masks are learnt.
        report (Callable): Gets what is mended or to be known.

    Returns:
        Labels: What is in them.

    Raises:
        UserError: If a file is missing, or with all that is wrong.
    """
    tables = [_table(file) for file in (train, val)]
    classes = _classes(*tables)
    has_other_masks = with_masks and _has_other_masks(train)
    masks = 'all' if has_other_masks else 'polygons'
    findings = check_usages(
        [
            Usage(
                'train',
                train,
                train_folder,
                classes,
                min_size=MIN_SIZE,
                scale=_SCALE,
                masks=masks if with_masks else '',
                setting='--train',
            ),
            Usage(
                'val',
                val,
                val_folder,
                classes,
                masks='all' if with_masks else '',
                setting='--val',
            ),
        ]
    )
    if text := findings.text([MENDED, SAID]):
        report(text)
    findings.raise_stops(
        f'The classes are those of --train that have boxes: {classes}'
    )
    return Labels(
        classes,
        _num_trained(tables[0]),
        tables[0].file_names,
        tables[1].file_names,
        has_other_masks,
    )


def _table(file: str) -> CocoTable:
    checked = checked_file(file)
    checked.findings.raise_stops()
    return checked.table


def _classes(train: CocoTable, val: CocoTable) -> tuple[str, ...]:
    """Names that have boxes: some exporters put one over all others."""
    named = {
        table.category_names[row]
        for table in (train, val)
        for row in np.unique(table.category_index)
    }
    return tuple(name for name in train.category_names if name in named)


def _has_other_masks(file: str) -> bool:
    found = checked_file(file).check_masks(only_polygons=True)
    return any(each.kind.name == 'mask-rle' for each in found)


def _num_trained(table: CocoTable) -> int:
    """Images with a box, that are not too small."""
    with_box = np.unique(table.image_index[table.usable])
    number = int((table.sizes[with_box].min(1) >= MIN_SIZE).sum())
    if not number:
        raise UserValueError(
            f'{table.file}: no image with a box has {MIN_SIZE} pixels each '
            'way, which is the least that is trained on'
        )
    return number
