"""Reads the columns of a COCO file, each once, and what is wrong with them."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, compress
from typing import Any

import numpy as np

from .findings import Findings
from .table import CocoTable

_LISTS = ('images', 'annotations', 'categories')
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
        report('no-annotations', [f'it holds {", ".join(content)}'])
    images, annotations, categories = (
        content.get(name, []) for name in _LISTS
    )
    image_ids, images = _with_ids(images, 'image', report)
    category_ids, categories = _with_ids(categories, 'category', report)
    ids, annotations = _with_ids(annotations, 'annotation', report)
    file_names, sizes = _image_columns(images, image_ids, report)
    names = _category_names(categories, category_ids, report)
    image_index = _rows_of(
        'image', annotations, ids, image_ids, len(content['images']), report
    )
    category_index = _rows_of(
        'category',
        annotations,
        ids,
        category_ids,
        len(content['categories']),
        report,
    )
    boxes, is_box = _boxes(annotations, ids, report)
    good = is_box & (image_index >= 0) & (category_index >= 0)
    if not good.all():
        ids, annotations = (
            list(compress(column, good)) for column in (ids, annotations)
        )
        image_index, category_index, boxes = (
            column[good] for column in (image_index, category_index, boxes)
        )
    return CocoTable(
        file,
        image_ids,
        file_names,
        sizes,
        category_ids,
        names,
        ids,
        image_index,
        category_index,
        boxes,
        _areas(annotations),
        _crowd(annotations, ids, report),
        np.array([bool(a.get('ignore')) for a in annotations], bool),
        [a.get('segmentation') for a in annotations],
    ), findings


_Report = Callable[[str, Sequence[str]], None]


def _misshapen(content: Any) -> list[str]:
    """What is missing for the shape of COCO's files."""
    if not isinstance(content, dict):
        kind = type(content).__name__
        return [f'an object is expected, the file holds a {kind}']
    places = []
    for name in _LISTS:
        value = content.get(name)
        if name not in content:
            if name == 'annotations':  # a finding of its own
                continue
            places.append(f'there is no "{name}"')
        elif not isinstance(value, list):
            places.append(f'"{name}" is a {type(value).__name__}, no list')
        elif set(map(type, value)) - {dict}:
            places += [
                f'"{name}" holds {item!r}, which is no object'
                for item in value
                if type(item) is not dict
            ]
    return places


def _with_ids(
    items: list[dict], noun: str, report: _Report
) -> tuple[list[int], list[dict]]:
    """Ids, and what has one of its own."""
    ids = [item.get('id') for item in items]
    if set(map(type, ids)) - {int}:
        report(
            'id-missing',
            [
                f'number {k} in the list of {noun} entries'
                for k, value in enumerate(ids)
                if value is None
            ],
        )
        report(
            'id-not-integer',
            [
                f'{noun} {value!r}'
                for value in ids
                if value is not None and type(value) is not int
            ],
        )
        good = [type(value) is int for value in ids]
        ids, items = list(compress(ids, good)), list(compress(items, good))
    if len(set(ids)) < len(ids):
        counts = Counter(ids)
        report(
            'id-twice',
            [f'{noun} {i}: {n} times' for i, n in counts.items() if n > 1],
        )
    return ids, items


def _image_columns(
    images: list[dict], ids: list[int], report: _Report
) -> tuple[list[str], np.ndarray]:
    names = [image.get('file_name') for image in images]
    if not all(type(name) is str and name for name in names):
        is_name = [type(name) is str and name != '' for name in names]
        report(
            'file-name-missing',
            [
                f'image {i}: file_name {name!r}'
                for i, name, good in zip(ids, names, is_name, strict=True)
                if not good
            ],
        )
        names = [
            n if good else '' for n, good in zip(names, is_name, strict=True)
        ]
    sizes = [(image.get('width'), image.get('height')) for image in images]
    if set(map(type, chain.from_iterable(sizes))) - {int} or any(
        not 0 < side < _MAX_SIDE for side in chain.from_iterable(sizes)
    ):
        good = [_is_size(size) for size in sizes]
        report(
            'image-size-missing',
            [
                f'image {i} ({name!r}): width {size[0]!r}, height {size[1]!r}'
                for i, name, size, ok in zip(
                    ids, names, sizes, good, strict=True
                )
                if not ok
            ],
        )
        sizes = [
            s if ok else (0, 0) for s, ok in zip(sizes, good, strict=True)
        ]
    return names, np.array(sizes, np.int64).reshape(-1, 2)


def _is_size(size: tuple[Any, Any]) -> bool:
    return all(
        type(side) in (int, float)
        and 0 < side < _MAX_SIDE
        and side == int(side)
        for side in size
    )


def _category_names(
    categories: list[dict], ids: list[int], report: _Report
) -> list[str]:
    names = [category.get('name') for category in categories]
    report(
        'not-coco',
        [
            f'category {i}: name {name!r} is no text'
            for i, name in zip(ids, names, strict=True)
            if not isinstance(name, str)
        ],
    )
    names = [str(name) for name in names]
    counts = Counter(names)
    report(
        'category-twice',
        [
            f'{name!r} (id {i})'
            for i, name in zip(ids, names, strict=True)
            if counts[name] > 1
        ],
    )
    return names


def _rows_of(
    noun: str,
    annotations: list[dict],
    ids: list[int],
    known: list[int],
    num_listed: int,
    report: _Report,
) -> np.ndarray:
    """Rows of what annotations refer to; -1 where there is no such one."""
    key = f'{noun}_id'
    values = [annotation.get(key) for annotation in annotations]
    rows = {each: row for row, each in enumerate(known)}
    if set(map(type, values)) - {int}:  # 1.0 and True would be found as 1
        numbers = [v if type(v) is int else None for v in values]
    else:
        numbers = values
    found = np.array([rows.get(number, -1) for number in numbers], np.int64)
    # Where ids are wrong themselves, what refers to them is not to blame.
    if len(known) == num_listed:
        report(
            f'{noun}-id-unknown',
            [
                f'annotation {ids[k]}: {key} {values[k]!r}'
                for k in np.flatnonzero(found < 0)
            ],
        )
    return found


def _boxes(
    annotations: list[dict], ids: list[int], report: _Report
) -> tuple[np.ndarray, np.ndarray]:
    """Four numbers each, (M, 4), and whether they are."""
    boxes = [annotation.get('bbox') for annotation in annotations]
    is_box = np.ones(len(boxes), bool)
    if (
        set(map(type, boxes)) - {list}
        or set(map(len, boxes)) - {4}
        or set(map(type, chain.from_iterable(boxes))) - {int, float}
    ):
        is_box = np.array([_is_box(box) for box in boxes], bool)
        wrong = np.flatnonzero(~is_box).tolist()
        report(
            'box-shape',
            [
                f'annotation {ids[k]} of image '
                f'{annotations[k].get("image_id")}: bbox {boxes[k]!r}'
                for k in wrong
            ],
        )
        for k in wrong:
            boxes[k] = (np.nan,) * 4
    numbers = chain.from_iterable(boxes)
    flat = np.fromiter(numbers, np.float64, 4 * len(boxes))
    return flat.reshape(-1, 4), is_box


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(number) in (int, float) for number in box)
    )


def _areas(annotations: list[dict]) -> np.ndarray:
    areas = [annotation.get('area') for annotation in annotations]
    if set(map(type, areas)) - {int, float}:
        areas = [a if type(a) in (int, float) else np.nan for a in areas]
    return np.array(areas, np.float64)


def _crowd(
    annotations: list[dict], ids: list[int], report: _Report
) -> np.ndarray:
    values = [annotation.get('iscrowd') for annotation in annotations]
    if set(map(type, values)) - {int} or not set(values) <= {0, 1}:
        bad = [k for k, value in enumerate(values) if not _is_flag(value)]
        report(
            'iscrowd-value',
            [f'annotation {ids[k]}: iscrowd {values[k]!r}' for k in bad],
        )
        values = [-1 if value is None else value for value in values]
        for k in bad:
            values[k] = 0
    return np.array(values, np.int8)


def _is_flag(value: Any) -> bool:
    return value is None or (
        type(value) in (int, bool, float) and value in (0, 1)
    )
