"""Ids of a COCO file, and what refers to them."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import compress

import numpy as np

from .findings import shown
from .gather import MAX_ID, Column

#: Takes the name of a kind of fault, and places.
Report = Callable[[str, Sequence[str]], None]


def with_ids(
    items: list[dict], noun: str, columns: dict[str, Column], report: Report
) -> tuple[list[dict], dict[str, Column]]:
    """What has an id, with its columns.

    Args:
        items (list[dict]): Entries of the file.
        noun (str): What they are.
        columns (dict[str, Column]): Their columns, ``id`` among them.
        report (Report): Is told what is wrong.

    Returns:
        tuple[list[dict], dict[str, Column]]: Those with an integer for an
        id, an array now.
    """
    ids = columns['id']
    if isinstance(ids, list):
        report(
            'id-missing',
            [
                f'number {k} in the list of {noun} entries'
                for k, value in enumerate(ids)
                if value is None
            ],
        )
        good = [type(value) is int and abs(value) < MAX_ID for value in ids]
        report(
            'id-not-integer',
            [
                f'{noun} {shown(value)}'
                for value, is_id in zip(ids, good, strict=True)
                if value is not None and not is_id
            ],
        )
        items = list(compress(items, good))
        columns = {
            key: column[np.array(good, bool)]
            if isinstance(column, np.ndarray)
            else list(compress(column, good))
            for key, column in columns.items()
        }
        columns['id'] = ids = np.array(columns['id'], np.int64)
    ordered = np.sort(ids)
    if (ordered[1:] == ordered[:-1]).any():
        counts = Counter(ids.tolist())
        report(
            'id-twice',
            [f'{noun} {i}: {n} times' for i, n in counts.items() if n > 1],
        )
    return items, columns


def rows_of(
    noun: str, columns: dict[str, Column], known: np.ndarray, report: Report
) -> np.ndarray:
    """Find the rows of the images or categories of annotations.

    Args:
        noun (str): ``image`` or ``category``.
        columns (dict[str, Column]): Columns of the annotations.
        known (np.ndarray): Ids of the images or categories.
        report (Report): Is told of ids that are not there.

    Returns:
        np.ndarray: Rows, (M,); -1 where there is no such one.
    """
    values, ids = columns[f'{noun}_id'], columns['id']
    if isinstance(values, np.ndarray):
        rows = _places_among(values, known)
    else:  # 1.0 and True are no ids
        is_id = [type(v) is int and abs(v) < MAX_ID for v in values]
        numbers = [v if ok else 0 for v, ok in zip(values, is_id, strict=True)]
        rows = _places_among(np.array(numbers, np.int64), known)
        rows[~np.array(is_id, bool)] = -1
    report(
        f'{noun}-id-unknown',
        [
            f'annotation {ids[k]}: {noun}_id {shown(values[k])}'
            for k in np.flatnonzero(rows < 0)
        ],
    )
    return rows


def _places_among(numbers: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The place of each number among known ones; -1 where it is not there."""
    if not len(known):
        return np.full(len(numbers), -1)
    least, most = known.min(), known.max()
    if most - least < 100 * len(known) + 1000:
        # Ten times as fast as to search, and ids are mostly close together.
        places = np.full(most - least + 2, -1)
        places[known - least] = np.arange(len(known))
        is_within = (numbers >= least) & (numbers <= most)
        return places[np.where(is_within, numbers - least, -1)]
    order = np.argsort(known)
    places = np.append(order, -1)[
        np.searchsorted(known, numbers, sorter=order)
    ]
    return np.where(known[places] == numbers, places, -1)
