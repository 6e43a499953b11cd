"""What a detector found and what it missed, kept image by image."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserFileNotFoundError
from mmselfemd.saved_arrays import load_arrays

from .coco_evaluation import evaluate_boxes, matches_of_classes
from .coco_files import check_results
from .metrics import METRICS, curves_of
from .weighted_curves import WeightedCurves


@dataclass(eq=False)
class DetectionMatches:
    """One evaluation by pycocotools, kept as its matches.

    Average precision is a figure of all images together; from the matches it
    is had again for images that count several times, or not at all, without
    another evaluation.

    Detections are in the order of COCO's evaluation: by class, by falling
    score, by image. A curve is that of a class, an area and a threshold of
    IoU, K x A x T of them in this order. At most 100 detections of a class
    count in an image.

    Attributes:
        image_ids (np.ndarray): Rising, (I,).
        category_ids (np.ndarray): Rising, (K,).
        category_names (np.ndarray): Their names, (K,).
        class_start (np.ndarray): First detection of each class, and their
            number, (K + 1,).
        detection_image (np.ndarray): Place of the image of each detection
            among the ids, (N,).
        detection_tied (np.ndarray): Whether class, image and score are those
            of the detection before, (N,).
        can_be_wrong (np.ndarray): Whether a detection counts as wrong at
            those thresholds of an area at which it matches nothing, (A, N).
        match_start (np.ndarray): First match of each curve, and their number,
            (K * A * T + 1,).
        match_detection (np.ndarray): The detection that matches, rising
            within a curve, (M,).
        match_is_right (np.ndarray): Whether it counts as right; what matches
            a crowd or an object of another area counts as neither, (M,).
        object_start (np.ndarray): First object of each class and area, and
            their number, (K * A + 1,).
        object_image (np.ndarray): Place of the image of each object that is
            to be found, (G,).
    """

    image_ids: np.ndarray
    category_ids: np.ndarray
    category_names: np.ndarray
    class_start: np.ndarray
    detection_image: np.ndarray
    detection_tied: np.ndarray
    can_be_wrong: np.ndarray
    match_start: np.ndarray
    match_detection: np.ndarray
    match_is_right: np.ndarray
    object_start: np.ndarray
    object_image: np.ndarray
    _curves: dict[Any, WeightedCurves] = field(
        default_factory=dict, init=False, repr=False
    )

    @classmethod
    def from_results(
        cls, results: list[dict], annotations: COCO, name: str = 'results'
    ) -> 'DetectionMatches':
        """Evaluate results once.

        Args:
            results (list[dict]): In COCO's format, see :func:`read_results`.
            annotations (COCO): Of all images that the detector looked at, see
                :func:`read_annotations`.
            name (str): What to call the results in an error. Defaults to
                ``results``.

        Returns:
            DetectionMatches: The matches.

        Raises:
            UserValueError: If the results do not fit the annotations.
        """
        results = check_results(results, annotations, name)
        return cls.from_evaluation(evaluate_boxes(results, annotations))

    @classmethod
    def from_evaluation(cls, evaluation: COCOeval) -> 'DetectionMatches':
        """Keep the matches of an evaluation by pycocotools.

        Args:
            evaluation (COCOeval): Of boxes, evaluated with the default
                parameters; it need not be accumulated.

        Returns:
            DetectionMatches: The matches.
        """
        parts = matches_of_classes(evaluation)
        ids = [int(number) for number in evaluation.params.catIds]
        names = [evaluation.cocoGt.cats[number]['name'] for number in ids]
        start = _starts([part.image for part in parts])
        rows = [
            row + first
            for part, first in zip(parts, start[:-1], strict=True)
            for row in part.matches
        ]
        right = [each for part in parts for each in part.right]
        objects = [each for part in parts for each in part.objects]
        return cls(
            image_ids=np.array(evaluation.params.imgIds, np.int64),
            category_ids=np.array(ids, np.int64),
            category_names=np.array(names, str),
            class_start=start,
            detection_image=_joined([p.image for p in parts], np.int32),
            detection_tied=_joined([p.tied for p in parts], bool),
            can_be_wrong=np.concatenate([p.can_be_wrong for p in parts], 1),
            match_start=_starts(rows),
            match_detection=_joined(rows, np.int32),
            match_is_right=_joined(right, bool),
            object_start=_starts(objects),
            object_image=_joined(objects, np.int32),
        )

    def average_precision(
        self, image_weights: np.ndarray | None = None
    ) -> dict[str, Any]:
        """COCO's average precision, with images counted several times.

        It is that of COCOeval on a data set in which each image is there as
        often as its weight says, the copies beside one another.

        Args:
            image_weights (np.ndarray, optional): Integers of 0 and more, (I,),
                in the order of ``image_ids``. Defaults to None: all are 1.

        Returns:
            dict[str, Any]: Each of :data:`METRICS`, in [0, 1], or -1 where
            there is nothing to find; ``per_class``: the same of each class,
            by name.

        Raises:
            ValueError: If the weights are no such integers.
        """
        if image_weights is None:
            image_weights = np.ones(len(self.image_ids), int)
        (found,) = self.resampled([image_weights], tuple(METRICS))
        overall, *classes = (
            dict(zip(METRICS, column, strict=True))
            for column in np.nan_to_num(found, nan=-1).T.tolist()
        )
        names = self.category_names.tolist()
        return overall | dict(per_class=dict(zip(names, classes, strict=True)))

    def resampled(
        self, image_weights: Sequence[np.ndarray], metrics: Sequence[str]
    ) -> np.ndarray:
        """Average precision for many weightings of the images.

        Args:
            image_weights (Sequence[np.ndarray]): R of them, each (I,), see
                :meth:`average_precision`.
            metrics (Sequence[str]): F names out of :data:`METRICS`.

        Returns:
            np.ndarray: (R, F, 1 + K): of all classes, then of each; NaN where
            there is nothing to find.

        Raises:
            ValueError: If the weights are no such integers, or a name is not
                known.
        """
        weights = self._checked(image_weights)
        wanted = sorted({pair for name in metrics for pair in curves_of(name)})
        columns = [
            [wanted.index(pair) for pair in curves_of(name)]
            for name in metrics
        ]
        curves = self._weighted_curves(tuple(wanted), weights)
        found = np.empty(
            (len(weights), len(metrics), 1 + len(self.category_ids))
        )
        for row, weighting in enumerate(weights):
            precision = curves.average_precision(weighting)
            for place, column in enumerate(columns):
                found[row, place] = _means(precision[:, column])
        return found

    def images_with_objects(self, metric: str) -> np.ndarray:
        """Count the images that hold something to find.

        Args:
            metric (str): One of :data:`METRICS`; it tells the size.

        Returns:
            np.ndarray: (1 + K,): of any class, then of each.
        """
        area, _ = METRICS[metric]
        starts = self.object_start.tolist()
        num_areas = len(self.can_be_wrong)
        found = [
            np.unique(self.object_image[starts[row] : starts[row + 1]])
            for row in range(area, len(starts) - 1, num_areas)
        ]
        of_any = np.unique(np.concatenate(found))
        return np.array([len(of_any), *map(len, found)])

    def save(self, path: str | os.PathLike) -> None:
        """Keep the matches, whole or not at all.

        Args:
            path (str | os.PathLike): A ``.npz`` file.
        """
        with atomic_write(path) as file:
            np.savez_compressed(
                file, **{name: getattr(self, name) for name in _ARRAYS}
            )

    @classmethod
    def load(cls, path: str | os.PathLike) -> 'DetectionMatches':
        """Read what :meth:`save` kept.

        Args:
            path (str | os.PathLike): A ``.npz`` file.

        Returns:
            DetectionMatches: The matches.

        Raises:
            UserFileNotFoundError: If there is no such file.
            UserValueError: If it holds something else.
        """
        if not os.path.isfile(path):
            raise UserFileNotFoundError(f"no such file of matches: '{path}'")
        return cls(**load_arrays(path, _ARRAYS, 'matches of an evaluation'))

    def _checked(self, image_weights: Sequence[np.ndarray]) -> np.ndarray:
        weights = np.asarray(image_weights)
        shape = (len(weights), len(self.image_ids))
        if weights.shape != shape or weights.dtype.kind not in 'iu':
            raise ValueError(
                f'expected integer weights of {shape[1]} images, got shape '
                f'{weights.shape[1:]} of {weights.dtype}'
            )
        if (weights < 0).any():
            raise ValueError(f'a weight is negative: {weights.min()}')
        return weights.astype(np.int64)

    def _weighted_curves(
        self, wanted: tuple[tuple[int, int], ...], weights: np.ndarray
    ) -> WeightedCurves:
        # Where no scores are equal, copies need no places of their own.
        is_tied = self.detection_tied.any()
        copies = int(weights.max(initial=1)) if is_tied else 1
        if (wanted, copies) not in self._curves:
            self._curves[wanted, copies] = WeightedCurves(self, wanted, copies)
        return self._curves[wanted, copies]


_ARRAYS = tuple(each.name for each in fields(DetectionMatches) if each.init)


def _means(precision: np.ndarray) -> np.ndarray:
    """Over the classes that there are, and of each; (K, P) to (1 + K,)."""
    known = precision[~np.isnan(precision)]
    mean = known.mean() if len(known) else np.nan
    return np.concatenate([[mean], precision.mean(1)])


def _joined(arrays: Sequence[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(arrays).astype(dtype)


def _starts(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Where each begins in the row of all, and where the last one ends."""
    return np.cumsum([0, *map(len, arrays)])
