"""What is wrong with boxes, for all of a file at once."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as mask_api

from .findings import Findings
from .masks import is_rle
from .table import CocoTable

#: Boxes with a side of less than so many pixels are small.
SMALL = 8

# Tools round; a border that is a pixel out says nothing.
_TOLERANCE = 1.0
_ROUNDING = 1e-3  # of sides of 1
_MANY_NORMALISED = 0.05  # of all boxes
# COCO train2017 has two without area among 860,001.
_FEW = 1e-4
# COCO numbers its crowds from 900,100,000,000 on.
_COCO_CROWDS = 900_000_000_000
_NUM_MASKS_LOOKED_AT = 100
_MANY_OUTSIDE = 0.02  # of boxes that are centre and size
_ENOUGH_BOXES = 20  # to say that they are
_MANY_CROWDS = 0.05  # of all boxes; COCO has 1.2 %


@np.errstate(over='ignore', invalid='ignore')
def check_boxes(table: CocoTable) -> Findings:
    """Look at all boxes of a file.

    Args:
        table (CocoTable): The file.

    Returns:
        Findings: What is wrong, and what :func:`mend` will put right.
    """
    findings = Findings()

    def report(kind: str, wrong: np.ndarray) -> None:
        if wrong.any():
            rows = np.flatnonzero(wrong)
            findings.add(kind, table.file, table.places(rows))

    if not len(table.boxes):
        return findings
    # One column at a time: they lie one behind another, which is faster.
    left, top, width, height = np.ascontiguousarray(table.boxes.T)
    finite = np.isfinite(left + top + width + height)
    report('box-not-finite', ~finite)
    empty = finite & ~((width > 0) & (height > 0))
    negative = (width < 0) | (height < 0)
    is_few = empty.sum() < _FEW * len(empty) and not negative.any()
    report('box-size-few' if is_few else 'box-size', empty)
    whole = finite & ~empty
    known = (table.sizes > 0).all(1)[table.image_index]
    normalised = _normalised(table, whole)
    report('boxes-normalised', normalised)
    whole &= ~normalised
    corners = _are_corners(table, whole & known)
    report('boxes-corners', corners)
    centred = _are_centred(table, whole & known & ~corners)
    report('boxes-centred', centred)
    outside, partly = outside_image(table)
    inspected = whole & known & ~corners & ~centred
    report('box-outside', outside & inspected)
    report('box-partly-outside', partly & inspected)
    report('area-missing', area_is_missing(table) & whole)
    report('area-senseless', _is_senseless(table) & inspected)
    report('iscrowd-missing', table.crowd < 0)
    report('annotation-id-zero', table.ids == 0)
    report('box-under-pixel', whole & ((width < 1) | (height < 1)))
    report('box-twice', _repeated(table))
    report('crowd-simple', _simple_crowds(table))
    report('crowd-lost', _lost_crowds(table))
    return findings


def check_small_boxes(
    table: CocoTable, scale: tuple[float, float] | None = None
) -> Findings:
    """Look for boxes that are small when their images are resized.

    Args:
        table (CocoTable): The file.
        scale (tuple[float, float], optional): The largest long and short
            side that images are resized to, as mmdet's ``Resize`` has it
            with ``keep_ratio``. Defaults to None: as they are.

    Returns:
        Findings: ``box-small``.
    """
    findings = Findings()
    sides = table.boxes[:, 2:].min(1, initial=np.inf)
    if scale is not None:
        long_side, short_side = max(scale), min(scale)
        sizes = np.maximum(table.sizes, 1)
        factors = np.minimum(
            long_side / sizes.max(1), short_side / sizes.min(1)
        )
        sides = sides * factors[table.image_index]
    small = np.flatnonzero((sides < SMALL) & table.usable)
    findings.add('box-small', table.file, table.places(small))
    return findings


def outside_image(table: CocoTable) -> tuple[np.ndarray, np.ndarray]:
    """Which boxes are outside their images.

    Args:
        table (CocoTable): The file.

    Returns:
        tuple[np.ndarray, np.ndarray]: Which are wholly, and which are by
        more than a pixel but not wholly, (M,).
    """
    left, top, width, height = np.ascontiguousarray(table.boxes.T)
    right, bottom = left + width, top + height
    image_width, image_height = table.sizes.T.astype(float)[
        :, table.image_index
    ]
    wholly = (
        (right <= 0)
        | (bottom <= 0)
        | (left >= image_width)
        | (top >= image_height)
    )
    partly = (
        (left < -_TOLERANCE)
        | (top < -_TOLERANCE)
        | (right > image_width + _TOLERANCE)
        | (bottom > image_height + _TOLERANCE)
    )
    return wholly, partly & ~wholly


def area_is_missing(table: CocoTable) -> np.ndarray:
    """Which annotations have no area above 0, (M,).

    Args:
        table (CocoTable): The file.

    Returns:
        np.ndarray: Whether it is missing.
    """
    return ~((table.areas > 0) & np.isfinite(table.areas))


def _normalised(table: CocoTable, whole: np.ndarray) -> np.ndarray:
    """Boxes within [0, 1], if these are all or more than a few.

    A single one may be a slip of the mouse in the corner of an image.
    """
    boxes = np.ascontiguousarray(table.boxes.T)
    within = whole & (boxes.min(0) >= 0) & (boxes.max(0) <= 1 + _ROUNDING)
    is_few = within.sum() < max(_MANY_NORMALISED * whole.sum(), 3)
    if is_few and (whole & ~within).any():
        within[:] = False
    return within


def _are_corners(table: CocoTable, whole: np.ndarray) -> np.ndarray:
    """All boxes, if they make sense as corners alone; else none.

    As corners every one lies within its image and has an area, and as width
    and height a quarter of them stick out of it by a tenth of their side.
    """
    none = np.zeros(len(whole), bool)
    left, top, third, fourth = np.ascontiguousarray(table.boxes[whole].T)
    if not len(left) or not ((third > left) & (fourth > top)).all():
        return none
    width, height = table.sizes[table.image_index[whole]].T
    if (third > width + _TOLERANCE).any():
        return none
    if (fourth > height + _TOLERANCE).any():
        return none
    return whole if _stick_out(table, whole).mean() >= 0.25 else none


def _are_centred(table: CocoTable, whole: np.ndarray) -> np.ndarray:
    """All boxes, if they make sense as centre and size alone; else none.

    As centre and size every one lies within its image, and as corner and
    size some stick out of it. Among boxes that are right, one at least is
    nearer to the left or upper border than half its side.
    """
    none = np.zeros(len(whole), bool)
    x, y, width, height = np.ascontiguousarray(table.boxes[whole].T)
    image_width, image_height = table.sizes[table.image_index[whole]].T
    within = (
        (x >= width / 2 - _TOLERANCE)
        & (y >= height / 2 - _TOLERANCE)
        & (x + width / 2 <= image_width + _TOLERANCE)
        & (y + height / 2 <= image_height + _TOLERANCE)
    )
    if not within.all():
        return none
    number = np.count_nonzero(_stick_out(table, whole))
    is_many = number >= max(_MANY_OUTSIDE * len(x), 3)
    return whole if is_many and len(x) >= _ENOUGH_BOXES else none


def _stick_out(table: CocoTable, rows: np.ndarray) -> np.ndarray:
    """Which boxes end beyond their image by a tenth of their side."""
    left, top, width, height = np.ascontiguousarray(table.boxes[rows].T)
    image_width, image_height = table.sizes[table.image_index[rows]].T
    return (left + width - image_width > 0.1 * width + _TOLERANCE) | (
        top + height - image_height > 0.1 * height + _TOLERANCE
    )


def _is_senseless(table: CocoTable) -> np.ndarray:
    """Areas that no mask in their box can have, (M,)."""
    boxes = table.boxes[:, 2] * table.boxes[:, 3]
    is_larger = table.areas > 1.1 * boxes + 4  # pixels; sides are rounded
    is_share = (table.areas > 0) & (table.areas <= 1) & (boxes > 100)
    return (is_larger & (boxes > 1)) | is_share


def _repeated(table: CocoTable) -> np.ndarray:
    """Boxes that another of the same image and class is equal to."""
    # Of 64 bits; what has the same one is compared whole.
    parts = np.ascontiguousarray(table.boxes + 0.0).view(np.uint64)
    hashed = table.image_index.astype(np.uint64)
    for part in (table.category_index.astype(np.uint64), *parts.T):
        hashed = (hashed ^ (hashed >> np.uint64(29))) * np.uint64(
            0x9E3779B97F4A7C15
        ) + part
    order = np.sort(hashed)
    twice = order[1:][order[1:] == order[:-1]]
    repeated = np.zeros(len(hashed), bool)
    if not len(twice):
        return repeated
    rows = np.flatnonzero(np.isin(hashed, twice))
    seen = set()
    for row in rows.tolist():
        key = (
            table.image_index[row],
            table.category_index[row],
            *table.boxes[row].tolist(),
        )
        repeated[row] = key in seen
        seen.add(key)
    return repeated


def _simple_crowds(table: CocoTable) -> np.ndarray:
    """Crowds, if they are many, and most of one or two parts."""
    crowds = table.crowd == 1
    none = np.zeros(len(crowds), bool)
    with_mask = [k for k, mask in table.masks.items() if crowds[k] and mask]
    if len(with_mask) < max(_MANY_CROWDS * len(crowds), 3):
        return none
    step = -(-len(with_mask) // _NUM_MASKS_LOOKED_AT)
    looked_at = with_mask[::step]
    sizes = table.sizes[table.image_index]
    simple = [
        _num_parts(table.masks[k], sizes[k].tolist()) in (1, 2)
        for k in looked_at
    ]
    return crowds if np.mean(simple) > 0.5 else none


def _num_parts(mask: Any, size: Sequence[int]) -> int:
    """Parts of a mask; 0 where it cannot be read."""
    if isinstance(mask, list):
        return len(mask)
    if not is_rle(mask, size):
        return 0
    if isinstance(mask['counts'], list):
        mask = mask_api.frPyObjects(mask, *mask['size'])
    return cv2.connectedComponents(mask_api.decode(mask))[0] - 1


def _lost_crowds(table: CocoTable) -> np.ndarray:
    """What is no crowd, but has a crowd's number or counts for a mask."""
    objects = table.crowd != 1
    lost = objects & (table.ids > _COCO_CROWDS)
    for row, mask in table.masks.items():
        if objects[row] and isinstance(mask, dict):
            lost[row] |= isinstance(mask.get('counts'), list)
    return lost
