"""COCO files of annotations and of results, read for a comparison."""

import contextlib
import io
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from pycocotools.coco import COCO

from mmselfemd.datasets.annotations import MENDED, checked_file, mend, shown
from mmselfemd.datasets.annotations.gather import gather
from mmselfemd.errors import UserFileNotFoundError, UserValueError

_FIELDS = dict(image_id=int, category_id=int, bbox=list, score=float)
_EXPECTED = dict(
    image_id='an integer',
    category_id='an integer',
    bbox='a list of four numbers, [x, y, width, height]',
    score='a number',
)


def read_annotations(path: str | os.PathLike) -> COCO:
    """Read an annotation file, checked and mended as for a run.

    Args:
        path (str | os.PathLike): The file, see docs/own_boxes.md.

    Returns:
        COCO: pycocotools' index of it.

    Raises:
        UserFileNotFoundError: If there is no such file.
        UserValueError: If it cannot be used.
    """
    checked = checked_file(path, keep=False)
    checked.findings.raise_stops()
    if mended := checked.findings.text([MENDED]):
        print_log(mended, logger='current')
    annotations = COCO()
    annotations.dataset = checked.take()
    mend(annotations.dataset, checked.table)
    _index(annotations)
    return annotations


def read_results(path: str | os.PathLike, annotations: COCO) -> list[dict]:
    """Read what a detector found, as a list of COCO's format.

    mmdet writes such lists: ``val_evaluator.outfile_prefix=PREFIX`` gives
    ``PREFIX.bbox.json``.

    Args:
        path (str | os.PathLike): A JSON file.
        annotations (COCO): Of the images that were looked at.

    Returns:
        list[dict]: ``image_id``, ``category_id``, ``bbox`` and ``score`` of
        each box.

    Raises:
        UserFileNotFoundError: If there is no such file.
        UserValueError: If it is no such list, or not of these images and
            categories.
    """
    path = Path(path)
    if path.is_dir():
        raise UserValueError(
            f"the result file '{path}' is a folder; name the JSON file itself"
        )
    if not path.is_file():
        raise UserFileNotFoundError(f"no such result file: '{path}'")
    try:
        content = json.loads(path.read_text(encoding='utf-8-sig'))
    except (ValueError, RecursionError) as error:
        raise UserValueError(
            f"'{path}' is not JSON: {error}; write the results again"
        ) from None
    return check_results(content, annotations, str(path))


def check_results(results: Any, annotations: COCO, name: str) -> list[dict]:
    """Check that results can be held against annotations.

    Args:
        results (Any): As parsed from JSON.
        annotations (COCO): Of the images that were looked at.
        name (str): What to call them in an error.

    Returns:
        list[dict]: ``image_id``, ``category_id``, ``bbox`` and ``score`` of
        each box.

    Raises:
        UserValueError: If they cannot: with the first that is wrong.
    """
    if not isinstance(results, list) or any(
        type(item) is not dict for item in results
    ):
        raise UserValueError(
            f"'{name}' is not a list of results: expected [{{image_id, "
            f'category_id, bbox, score}}, ...], got {shown(results)}'
            + _another_file(results)
        )
    columns = gather(results, _FIELDS)
    for field, column in columns.items():
        _check_column(field, column, name)
    boxes, scores = columns['bbox'], columns['score']
    _check_rows(
        np.isfinite(scores), results, name, 'a score that is no finite number'
    )
    _check_rows(
        np.isfinite(boxes).all(1) & (boxes[:, 2:] >= 0).all(1),
        results,
        name,
        'a bbox that is not [x, y, width, height] in finite numbers, sides '
        'not negative',
    )
    for field, known in (
        ('image_id', annotations.getImgIds()),
        ('category_id', annotations.getCatIds()),
    ):
        _check_ids(field, columns[field], known, name)
    return [{field: item[field] for field in _FIELDS} for item in results]


def check_same_images(results: Mapping[str, Sequence[dict]]) -> None:
    """Check that detectors have looked at the same images.

    Where a detector finds nothing an image is in no list, so that only those
    with no image in common are known to be wrong.

    Args:
        results (Mapping[str, Sequence[dict]]): By name of the file, checked.

    Raises:
        UserValueError: If two have no image in common.
    """
    images = {
        name: {item['image_id'] for item in found}
        for name, found in results.items()
        if found
    }
    for (name, some), (other, others) in itertools.pairwise(images.items()):
        if some.isdisjoint(others):
            raise UserValueError(
                f"'{name}' and '{other}' have no image in common: compare "
                'detectors on the same images'
            )


def check_different_runs(runs: Sequence[tuple[str, Sequence[dict]]]) -> None:
    """Check that seeds of a detector are runs of their own.

    One run counted several times has no spread, and any difference would
    look certain.

    Args:
        runs (Sequence[tuple[str, Sequence[dict]]]): Name of the file and
            results of each seed, checked.

    Raises:
        UserValueError: If two have found the very same.
    """
    for (name, found), (other, others) in itertools.combinations(runs, 2):
        if found and found == others:
            raise UserValueError(
                f"'{name}' and '{other}' hold the same results: they are one "
                'run, not two seeds. Name each once, and train seeds with '
                'another randomness.seed each'
            )


def load_results(results: Sequence[dict], annotations: COCO) -> COCO:
    """Index results, as pycocotools does; none are fine too.

    Args:
        results (Sequence[dict]): Which were checked.
        annotations (COCO): Of the images that were looked at.

    Returns:
        COCO: The results.
    """
    if results:
        with contextlib.redirect_stdout(io.StringIO()):
            return annotations.loadRes(list(map(dict, results)))
    # loadRes looks at the first of them.
    detections = COCO()
    detections.dataset = dict(annotations.dataset, annotations=[])
    _index(detections)
    return detections


def _index(coco: COCO) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()


def _another_file(results: Any) -> str:
    if isinstance(results, dict) and 'annotations' in results:
        return '; this is an annotation file, which goes to --ann'
    return ''


def _check_column(field: str, column: Any, name: str) -> None:
    """A list is what :func:`gather` gives for values that are not alike."""
    if isinstance(column, np.ndarray):
        return
    for row, value in enumerate(column):
        if not isinstance(gather([{field: value}], _FIELDS)[field], list):
            continue
        hint = ''
        if field == 'bbox' and value is None:
            hint = '. Are these masks alone? Name the list of boxes'
        raise UserValueError(
            f"'{name}', result {row}: {field} {shown(value)}; expected "
            f'{_EXPECTED[field]}{hint}'
        )


def _check_rows(
    is_right: np.ndarray, results: list[dict], name: str, wrong: str
) -> None:
    if is_right.all():
        return
    row = int(np.argmin(is_right))
    raise UserValueError(
        f"'{name}' has {wrong} in {np.count_nonzero(~is_right)} of "
        f'{len(results)} results, first in result {row}: '
        f'{shown(results[row])}; a run that diverged writes such'
    )


def _check_ids(
    field: str, ids: np.ndarray, known: Sequence[int], name: str
) -> None:
    unknown = np.setdiff1d(ids, known)
    if not len(unknown):
        return
    count = len(np.unique(ids))
    what, hint = dict(
        image_id=('images', 'are these results of another split?'),
        category_id=(
            'categories',
            'results carry the ids of the annotation file, not the labels '
            'that a network counts from 0',
        ),
    )[field]
    share = 'none' if len(unknown) == count else f'{count - len(unknown)}'
    raise UserValueError(
        f"'{name}': {share} of its {count} {what} "
        f'{"is" if share == "none" else "are"} in the annotation file, '
        f'{field} {shown(unknown.tolist())} '
        f'{"is" if len(unknown) == 1 else "are"} not; {hint}'
    )
