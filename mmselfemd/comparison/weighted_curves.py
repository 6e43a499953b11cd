"""Average precision of images that count several times, fast and exact.

Of a curve only the detections that match are looked at one by one: between
two of them precision falls. How many wrong ones stand before each is read off
one running sum over the detections, which serves all IoU thresholds. Copies of
a detection stand beside one another, except where an image has several of the
same class and score: COCO's evaluation sorts stably, so that their copies
alternate. Those get a place for each copy.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from .detection_matches import DetectionMatches

# Both as pycocotools has them.
_RECALLS = np.linspace(0, 1, 101)
_EPSILON = np.spacing(1)


class _Places(NamedTuple):
    """Where detections stand in a data set of several copies of each image.

    Attributes:
        detection (np.ndarray): Which one, (P,).
        image (np.ndarray): Place of its image, (P,).
        copy (np.ndarray): Of which copy of the image; 0 for all, (P,).
        most (np.ndarray): How often it can stand there, (P,).
    """

    detection: np.ndarray
    image: np.ndarray
    copy: np.ndarray
    most: np.ndarray

    @classmethod
    def of(cls, matches: 'DetectionMatches', copies: int) -> '_Places':
        """Places in the order of an evaluation."""
        group = np.cumsum(~matches.detection_tied) - 1
        is_tied = np.bincount(group)[group] > 1
        count = np.where(is_tied, copies, 1)
        detection = np.repeat(np.arange(len(group)), count)
        copy = _ranges(np.zeros_like(count), count)
        order = np.lexsort((detection, copy, group[detection]))
        detection = detection[order]
        return cls(
            detection,
            matches.detection_image[detection],
            copy[order],
            np.where(is_tied, 1, copies)[detection],
        )


class _Row(NamedTuple):
    """Places that are counted in this order.

    Attributes:
        image (np.ndarray): Place of the image of each.
        copy (np.ndarray | None): See :class:`_Places`; None where each stands
            for all copies of its image.
        most (np.ndarray | None): Likewise.
    """

    image: np.ndarray
    copy: np.ndarray | None
    most: np.ndarray | None

    @classmethod
    def of(cls, places: _Places, chosen: np.ndarray) -> '_Row':
        """Some of the places."""
        if not places.copy.any():
            return cls(places.image[chosen], None, None)
        return cls(*(each[chosen] for each in places[1:]))

    def weights(self, image_weights: np.ndarray) -> np.ndarray:
        """How often each is there."""
        weights = image_weights[self.image]
        if self.copy is None:
            return weights
        return np.clip(weights - self.copy, 0, self.most)


class WeightedCurves:
    """Precision by recall, for curves of some areas and IoU thresholds.

    Args:
        matches (DetectionMatches): Of an evaluation.
        wanted (Sequence[tuple[int, int]]): Area and threshold of the curves
            of each class, by their places; P of them.
        copies (int): The most copies of an image; it matters where an image
            has equal scores of a class.
    """

    def __init__(
        self,
        matches: 'DetectionMatches',
        wanted: Sequence[tuple[int, int]],
        copies: int,
    ) -> None:
        self.shape = (len(matches.category_ids), len(wanted))
        label = np.repeat(np.arange(self.shape[0]), len(wanted))
        area, threshold = np.tile(np.array(wanted).T, self.shape[0])
        places = _Places.of(matches, copies)
        self._set_objects(matches, label, area)
        place, curve = self._set_matches(
            matches, places, label, area, threshold
        )
        self._set_wrong(matches, places, place, curve, label, area)

    def _set_objects(
        self, matches: 'DetectionMatches', label: np.ndarray, area: np.ndarray
    ) -> None:
        """What there is to find; the same at all thresholds."""
        parts, self._part_of_curve = np.unique(
            label * len(matches.can_be_wrong) + area, return_inverse=True
        )
        start = matches.object_start[parts]
        count = matches.object_start[parts + 1] - start
        self._object_image = matches.object_image[_ranges(start, count)]
        self._object_start = np.append(0, np.cumsum(count))

    def _set_matches(
        self,
        matches: 'DetectionMatches',
        places: _Places,
        label: np.ndarray,
        area: np.ndarray,
        threshold: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The matches, one curve behind the other: place and curve."""
        num_areas = len(matches.can_be_wrong)
        num_parts = self.shape[0] * num_areas
        num_thresholds = (len(matches.match_start) - 1) // num_parts
        stored = (label * num_areas + area) * num_thresholds + threshold
        start = matches.match_start[stored]
        count = matches.match_start[stored + 1] - start
        match = _ranges(start, count)
        place, source = _places_of(matches.match_detection[match], places)
        curve = np.repeat(np.arange(len(stored)), count)[source]
        order = np.lexsort((place, curve))
        place, match, curve = place[order], match[source[order]], curve[order]
        self._matches = _Row.of(places, place)
        self._is_right = matches.match_is_right[match].astype(np.int64)
        self._count = np.bincount(curve, minlength=len(stored))
        self._start = np.append(0, np.cumsum(self._count))
        return place, curve

    def _set_wrong(
        self,
        matches: 'DetectionMatches',
        places: _Places,
        place: np.ndarray,
        curve: np.ndarray,
        label: np.ndarray,
        area: np.ndarray,
    ) -> None:
        """What can be wrong, one area behind the other."""
        num_places = len(places.detection)
        can_be_wrong = matches.can_be_wrong[: area.max() + 1].copy()
        can_be_wrong[np.setdiff1d(np.arange(len(can_be_wrong)), area)] = False
        can_be_wrong = can_be_wrong[:, places.detection]
        self._wrong = _Row.of(
            places, np.flatnonzero(can_be_wrong) % max(num_places, 1)
        )
        before = _sums(can_be_wrong.ravel())
        first = _sums(np.bincount(places.detection))[matches.class_start[:-1]]
        self._before_curve = before[area * num_places + first[label]]
        area = area[curve]
        self._before_match = before[area * num_places + place + 1]
        # What matches was not wrong after all.
        self._correction = self._is_right - can_be_wrong[area, place]

    def average_precision(self, image_weights: np.ndarray) -> np.ndarray:
        """Area under each curve.

        Args:
            image_weights (np.ndarray): How often each image counts, (I,).

        Returns:
            np.ndarray: (K, P), in [0, 1]; NaN where there is nothing to find.
        """
        objects = np.diff(
            _sums(image_weights[self._object_image])[self._object_start]
        )
        needed = _needed(objects)[self._part_of_curve]
        right, precision = self._right_and_precision(image_weights)
        start, end = self._start[:-1, None], self._start[1:, None]
        # The match with which recall is reached; the first for a recall of 0.
        match = np.searchsorted(right[1:], right[start] + needed)
        match = np.clip(match, start, end)
        # Precision at a recall is the best at this or any higher one: the
        # best up to the next of these matches, then over all behind it.
        best = np.maximum.reduceat(np.append(precision, 0), match.ravel())
        best = np.where(match < end, best.reshape(match.shape), 0)
        best = np.maximum.accumulate(best[:, ::-1], axis=1)
        is_there = objects[self._part_of_curve] > 0
        return np.where(is_there, best.mean(1), np.nan).reshape(self.shape)

    def _right_and_precision(
        self, image_weights: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Right ones so far, over all curves, and precision at each match."""
        weights = self._matches.weights(image_weights)
        right = _sums(weights * self._is_right)
        correction = _sums(weights * self._correction)
        wrong = _sums(self._wrong.weights(image_weights))
        start = self._start[:-1]
        before = wrong[self._before_curve] + correction[start]
        detections = wrong[self._before_match] + correction[1:]
        detections -= np.repeat(before, self._count)
        found = right[1:] - np.repeat(right[start], self._count)
        return right, found / (detections + _EPSILON)


def _needed(objects: np.ndarray) -> np.ndarray:
    """The fewest right ones for each recall, (C,) to (C, 101)."""
    objects = np.maximum(objects, 1)[:, None]
    needed = np.floor(_RECALLS * objects)
    # In floating point, as COCO's evaluation compares.
    needed += needed / objects < _RECALLS
    return needed.astype(np.int64)


def _places_of(
    detections: np.ndarray, places: _Places
) -> tuple[np.ndarray, np.ndarray]:
    """All places of each detection, and whose each is."""
    by_detection = np.argsort(places.detection, kind='stable')
    count = np.bincount(places.detection)
    first = np.cumsum(count) - count
    return (
        by_detection[_ranges(first[detections], count[detections])],
        np.repeat(np.arange(len(detections)), count[detections]),
    )


def _ranges(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Integers from each start, as many as each count."""
    before = np.cumsum(count) - count
    return np.repeat(start - before, count) + np.arange(count.sum())


def _sums(values: np.ndarray) -> np.ndarray:
    """Running sums, from 0."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums
