"""Reads the columns of a COCO file, and says what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np

from .annotation_columns import ANNOTATION_KEYS, read_annotations, read_masks
from .findings import Findings, shown
from .gather import Column, gather
from .ids import Report, rows_of, with_ids
from .table import CocoTable

#: The lists of a COCO file.
LISTS = ('images', 'annotations', 'categories')
_IMAGE_KEYS = dict(id=int, width=int, height=int)
_MAX_SIDE = 2**31


def read_table(content: Any, file: str) -> tuple[CocoTable | None, Findings]:
    """Read the columns of a COCO file.

    Args:
        content (Any): The parsed JSON.
        file (str): Its name, for what is found.

    Returns:
        tuple[CocoTable | None, Findings]: None where the file does not have
        the shape of COCO's.
    """
    findings = Findings()
    findings.add('not-coco', file, _misshapen(content))
    if findings.stops:
        return None, findings

    def report(kind: str, places: Sequence[str]) -> None:
        findings.add(kind, file, places)

    if 'annotations' not in content:
        report('no-annotations', [f'it holds {", ".join(list(content)[:9])}'])
    images, annotations, categories = (content.get(name, []) for name in LISTS)
    category_ids, names = _categories(categories, report)
    images, image_columns = with_ids(
        images, 'image', gather(images, _IMAGE_KEYS), report
    )
    image_ids = image_columns['id']
    annotations, columns = with_ids(
        annotations, 'annotation', gather(annotations, ANNOTATION_KEYS), report
    )
    # Where ids are wrong themselves, what refers to them is not to blame.
    all_images = len(image_ids) == len(content['images'])
    all_categories = len(category_ids) == len(content['categories'])
    rows, is_box = read_annotations(columns, report)
    rows['image_index'] = rows_of(
        'image', columns, image_ids, report if all_images else _quiet
    )
    rows['category_index'] = rows_of(
        'category', columns, category_ids, report if all_categories else _quiet
    )
    good = (rows['image_index'] >= 0) & (rows['category_index'] >= 0) & is_box
    if not good.all():
        annotations = list(compress(annotations, good))
        rows = {name: column[good] for name, column in rows.items()}
    return CocoTable(
        file=file,
        image_ids=image_ids,
        file_names=_file_names(images, image_ids, report),
        sizes=_sizes(images, image_columns, report),
        category_ids=category_ids,
        category_names=names,
        masks=read_masks(annotations, rows['crowd']),
        **rows,
    ), findings


def _misshapen(content: Any) -> list[str]:
    """What is missing for the shape of COCO's files."""
    if not isinstance(content, dict):
        kind = type(content).__name__
        return [f'an object is expected, the file holds a {kind}']
    places = []
    for name in LISTS:
        value = content.get(name)
        if name not in content:
            if name != 'annotations':  # a finding of its own
                places.append(f'there is no "{name}"')
        elif not isinstance(value, list):
            places.append(f'"{name}" is a {type(value).__name__}, no list')
        elif set(map(type, value)) - {dict}:
            places += [
                f'"{name}" holds {shown(item)}, which is no object'
                for item in value
                if type(item) is not dict
            ]
        elif value and 'segments_info' in value[0]:
            places.append('it is of panoptic segmentation (segments_info)')
    return places


def _quiet(kind: str, places: Sequence[str]) -> None:
    """Report nothing."""


def _categories(
    categories: list[dict], report: Report
) -> tuple[np.ndarray, list[str]]:
    """Ids and names."""
    categories, columns = with_ids(
        categories, 'category', gather(categories, dict(id=int)), report
    )
    names = [category.get('name') for category in categories]
    named = list(zip(columns['id'].tolist(), names, strict=True))
    report(
        'not-coco',
        [
            f'category {i}: name {shown(name)} is no text'
            for i, name in named
            if not isinstance(name, str)
        ],
    )
    counts = Counter(map(str, names))
    report(
        'category-twice',
        [
            f'{shown(name)} (id {i})'
            for i, name in named
            if counts[str(name)] > 1
        ],
    )
    return columns['id'], list(map(str, names))


def _file_names(
    images: list[dict], ids: np.ndarray, report: Report
) -> list[str]:
    names = [image.get('file_name') for image in images]
    wrong = [k for k, n in enumerate(names) if type(n) is not str or not n]
    report(
        'file-name-missing',
        [f'image {ids[k]}: file_name {shown(names[k])}' for k in wrong],
    )
    for k in wrong:
        names[k] = ''
    return names


def _sizes(
    images: list[dict], columns: dict[str, Column], report: Report
) -> np.ndarray:
    """Width and height, (N, 2); 0 where they are wrong."""
    sides = [columns['width'], columns['height']]
    if any(isinstance(side, list) for side in sides):
        sides = [[_side(side) for side in column] for column in sides]
    sizes = np.stack([np.asarray(side, np.int64) for side in sides], 1)
    wrong = ~((sizes > 0) & (sizes < _MAX_SIDE)).all(1)
    report(
        'image-size-missing',
        [
            f'image {columns["id"][k]} ({shown(images[k].get("file_name"))}): '
            f'width {shown(images[k].get("width"))}, '
            f'height {shown(images[k].get("height"))}'
            for k in np.flatnonzero(wrong)
        ],
    )
    sizes[wrong] = 0
    return sizes


def _side(side: Any) -> int:
    is_number = type(side) in (int, float) and 0 < side < _MAX_SIDE
    return int(side) if is_number and side == int(side) else 0
