"""The columns of annotations in a COCO file."""

from typing import Any

import numpy as np

from .findings import shown
from .gather import MAX_ID, Column
from .ids import Report

#: What :func:`gather` is to read.
ANNOTATION_KEYS = dict(
    id=int,
    image_id=int,
    category_id=int,
    bbox=list,
    area=float,
    iscrowd=int,
    ignore=None,
)

_NUM_MASKS = 1000  # looked at, of those that are no crowd


def read_annotations(
    columns: dict[str, Column], report: Report
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Read the boxes, and what is said of each.

    Args:
        columns (dict[str, Column]): Columns of the annotations.
        report (Report): Is told what is wrong.

    Returns:
        tuple[dict[str, np.ndarray], np.ndarray]: Attributes of
        :class:`CocoTable` by name; and which boxes are four numbers.
    """
    boxes, is_box = _boxes(columns, report)
    ignored = columns['ignore']
    if isinstance(ignored, list):
        ignored = np.array([bool(each) for each in ignored], bool)
    return dict(
        ids=columns['id'],
        boxes=boxes,
        areas=_areas(columns['area']),
        crowd=_crowd(columns['iscrowd'], columns['id'], report),
        ignored=ignored,
    ), is_box


def read_masks(annotations: list[dict], crowd: np.ndarray) -> dict[int, Any]:
    """Masks of all crowds, and of some others.

    Args:
        annotations (list[dict]): The annotations.
        crowd (np.ndarray): 1 for crowd, (M,).

    Returns:
        dict[int, Any]: ``segmentation`` by row.
    """
    step = -(-len(annotations) // _NUM_MASKS) or 1
    rows = {*np.flatnonzero(crowd == 1).tolist()}
    rows.update(range(0, len(annotations), step))
    return {row: annotations[row].get('segmentation') for row in sorted(rows)}


def _boxes(
    columns: dict[str, Column], report: Report
) -> tuple[np.ndarray, np.ndarray]:
    """Four numbers each, (M, 4), and whether they are."""
    boxes, ids = columns['bbox'], columns['id']
    if isinstance(boxes, np.ndarray):
        return boxes, np.ones(len(boxes), bool)
    is_box = np.array([_is_box(box) for box in boxes], bool)
    report(
        'box-shape',
        [
            f'annotation {ids[k]} of image {shown(columns["image_id"][k])}: '
            f'bbox {shown(boxes[k])}'
            for k in np.flatnonzero(~is_box)
        ],
    )
    boxes = [
        box if good else [0] * 4
        for box, good in zip(boxes, is_box, strict=True)
    ]
    return np.array(boxes, np.float64).reshape(-1, 4), is_box


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(
            type(n) is float or (type(n) is int and abs(n) < MAX_ID)
            for n in box
        )
    )


def _areas(areas: Column) -> np.ndarray:
    """Pixels, (M,); NaN where it is no number."""
    if isinstance(areas, np.ndarray):
        return areas
    return np.array(
        [
            a
            if type(a) is float or (type(a) is int and abs(a) < MAX_ID)
            else np.nan
            for a in areas
        ],
        np.float64,
    )


def _crowd(values: Column, ids: np.ndarray, report: Report) -> np.ndarray:
    """1 for crowd, 0 for an object, -1 where it is not said, (M,)."""
    if isinstance(values, np.ndarray):
        wrong = (values != 0) & (values != 1)
        crowd = values.astype(np.int8)
    else:
        wrong = np.array([not _is_flag(value) for value in values], bool)
        crowd = np.array(
            [
                -1 if v is None else 0 if bad else v
                for v, bad in zip(values, wrong, strict=True)
            ],
            np.int8,
        )
    report(
        'iscrowd-value',
        [
            f'annotation {ids[k]}: iscrowd {shown(values[k])}'
            for k in np.flatnonzero(wrong)
        ],
    )
    crowd[wrong] = 0
    return crowd


def _is_flag(value: Any) -> bool:
    return value is None or (
        type(value) in (int, bool, float) and value in (0, 1)
    )
