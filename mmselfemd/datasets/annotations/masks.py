"""Whether masks can be read, and are what a pipeline takes."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .findings import Findings, shown
from .table import CocoTable

_MIN_NUMBERS = 6  # of a polygon: three points


def check_masks(
    table: CocoTable, annotations: Sequence[dict], only_polygons: bool
) -> Findings:
    """Look at all masks of a file without other faults.

    Args:
        table (CocoTable): The file.
        annotations (Sequence[dict]): Its annotations, row by row.
        only_polygons (bool): Whether the pipeline leaves out others, as
            mmdet's ``LoadAnnotations`` does with ``poly2mask=False``.

    Returns:
        Findings: ``mask-missing``, ``mask-broken`` and ``mask-rle``.
    """
    sizes = table.sizes[table.image_index].tolist()

    def found() -> Iterator[tuple[str, str]]:
        for row, annotation in enumerate(annotations):
            mask = annotation.get('segmentation')
            kind = _fault(mask, sizes[row])
            if not kind and only_polygons and table.crowd[row] != 1:
                kind = None if isinstance(mask, list) else 'mask-rle'
            if kind:
                told = f'annotation {table.ids[row]}'
                yield kind, f'{told}: segmentation {shown(mask)}'

    return Findings.of(table.file, found())


def is_rle(mask: Any, size: Sequence[int]) -> bool:
    """Whether a mask is COCO's run-length encoding of the whole image.

    pycocotools crashes with some others, or leaves pixels to chance.

    Args:
        mask (Any): ``segmentation`` of an annotation.
        size (Sequence[int]): Width and height of its image, in pixels.

    Returns:
        bool: Whether its runs, as numbers or as text, fill the image.
    """
    if not isinstance(mask, dict) or min(size) < 1:
        return False
    sides, counts = mask.get('size'), mask.get('counts')
    if not isinstance(sides, list) or set(map(type, sides)) != {int}:
        return False
    if isinstance(counts, str):
        counts = _runs(counts)
    if not isinstance(counts, list) or set(map(type, counts)) != {int}:
        return False
    num_pixels = size[0] * size[1]
    is_whole = min(counts) >= 0 and sum(counts) == num_pixels
    return is_whole and sides == [size[1], size[0]]


def _fault(mask: Any, size: Sequence[int]) -> str | None:
    if not mask:
        return 'mask-missing'
    is_good = _are_polygons(mask) if type(mask) is list else is_rle(mask, size)
    return None if is_good else 'mask-broken'


def _are_polygons(parts: list) -> bool:
    """Whether each is made of numbers, and one at least has an area.

    mmdet leaves out parts of fewer points.
    """
    for part in parts:
        if not isinstance(part, list) or {*map(type, part)} - {int, float}:
            return False
    try:
        finite = all(math.isfinite(sum(part)) for part in parts)
    except OverflowError:  # an integer beyond all floats
        return False
    good = [len(p) for p in parts if len(p) >= _MIN_NUMBERS]
    return finite and any(number % 2 == 0 for number in good)


def _runs(text: str) -> list[int]:
    """The runs of pycocotools' text; [] where it is none.

    Each character holds five bits, the lowest first, and whether there are
    more; from the fourth run on, it is the difference from the last but one.
    """
    codes = np.frombuffer(text.encode(errors='ignore'), np.uint8) - 48.0
    codes = codes.astype(np.int64)
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] > 31:
        return []
    ends = np.flatnonzero(codes < 32)
    starts = np.append(0, ends[:-1] + 1)
    places = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if places.max() > 6:  # more than 32 bits
        return []
    runs = np.add.reduceat((codes & 31) << (5 * places), starts)
    runs -= np.where(codes[ends] & 16, 1 << (5 * places[ends] + 5), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs.tolist()
