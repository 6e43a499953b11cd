"""What COCO's evaluation matched, class by class and in its order."""

import contextlib
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from .coco_files import load_results

#: COCO's, in the order of its evaluation.
AREAS = ('all', 'small', 'medium', 'large')
NUM_THRESHOLDS = 10  # of the intersection over union: 0.5, 0.55, ..., 0.95


class ClassMatches(NamedTuple):
    """Matches of a class, its detections by falling score, then by image.

    Attributes:
        image (np.ndarray): Place of the image of each detection, (D,).
        tied (np.ndarray): Whether image and score are those of the detection
            before, (D,).
        can_be_wrong (np.ndarray): Whether a detection counts as wrong at
            those thresholds of an area at which it matches nothing, (A, D).
        matches (list[np.ndarray]): Detections that match something and
            count as right, or else could count as wrong; of each area and
            threshold.
        right (list[np.ndarray]): Whether they count as right.
        objects (list[np.ndarray]): Places of the images of what is to be
            found, of each area.
    """

    image: np.ndarray
    tied: np.ndarray
    can_be_wrong: np.ndarray
    matches: list[np.ndarray]
    right: list[np.ndarray]
    objects: list[np.ndarray]


def evaluate_boxes(results: Sequence[dict], annotations: COCO) -> COCOeval:
    """Match by pycocotools, with its default parameters.

    Args:
        results (Sequence[dict]): In COCO's format, checked.
        annotations (COCO): Of all images that were looked at.

    Returns:
        COCOeval: Evaluated, not accumulated.
    """
    detections = load_results(results, annotations)
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(annotations, detections, 'bbox')
        evaluation.evaluate()
    return evaluation


def matches_of_classes(evaluation: COCOeval) -> list[ClassMatches]:
    """Put the images of an evaluation together.

    Args:
        evaluation (COCOeval): Evaluated, with the default areas, thresholds
            and 100 detections.

    Returns:
        list[ClassMatches]: In the order of the categories' ids.
    """
    num_images = len(evaluation.params.imgIds)
    entries = evaluation.evalImgs
    parts = [
        entries[start : start + num_images]
        for start in range(0, len(entries), num_images)
    ]
    return [
        _matches_of_class(parts[start : start + len(AREAS)])
        for start in range(0, len(parts), len(AREAS))
    ]


def _matches_of_class(areas: list[list[dict | None]]) -> ClassMatches:
    """As COCOeval.accumulate does."""
    found = [image for image, each in enumerate(areas[0]) if each is not None]
    entries = [areas[0][image] for image in found]
    image = _repeated(found, [len(each['dtScores']) for each in entries])
    scores = np.concatenate([[], *(each['dtScores'] for each in entries)])
    order = np.argsort(-scores, kind='mergesort')
    image, scores = image[order], scores[order]
    tied = np.zeros(len(order), bool)
    tied[1:] = (scores[1:] == scores[:-1]) & (image[1:] == image[:-1])
    all_wrong, matches, right, objects = [], [], [], []
    for of_area in areas:
        entries = [of_area[place] for place in found]
        is_match, ignored = (
            _side_by_side([each[key] for each in entries])[:, order]
            for key in ('dtMatches', 'dtIgnore')
        )
        can_be_wrong = (~is_match & ~ignored).any(0)
        counts = is_match & (~ignored | can_be_wrong)
        rows = [np.flatnonzero(of_threshold) for of_threshold in counts]
        matches += rows
        right += [~each[row] for each, row in zip(ignored, rows, strict=True)]
        all_wrong.append(can_be_wrong)
        to_find = [np.sum(each['gtIgnore'] == 0) for each in entries]
        objects.append(_repeated(found, to_find))
    return ClassMatches(
        image, tied, np.array(all_wrong), matches, right, objects
    )


def _repeated(values: Sequence[int], counts: Sequence[int]) -> np.ndarray:
    return np.repeat(np.array(values, int), np.array(counts, int))


def _side_by_side(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """(T, D) of each image to (T, all D)."""
    none = np.zeros((NUM_THRESHOLDS, 0), bool)
    return np.concatenate([none, *(a.astype(bool) for a in arrays)], axis=1)
