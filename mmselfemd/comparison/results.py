"""What the detectors of a comparison found, read once."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations

import numpy as np
from pycocotools.coco import COCO

from mmselfemd.errors import UserValueError

from .candidates import Candidate
from .coco_files import read_annotations, read_results
from .detection_matches import DetectionMatches
from .difference import Difference
from .intervals import compare_metrics
from .plan import Plan
from .runs import DetectorRun, detector_runs

#: By which detectors are compared unless it is said otherwise.
METRIC = 'AP50'

_AT_A_TIME = 256


class Results:
    """Evaluations of the detectors that are done.

    Only seeds of which all candidates are done on a share of the labels
    count there: runs are compared in pairs.

    Args:
        plan (Plan): The plan.
        resamples (int): How often images are drawn for an interval. Defaults
            to 1000.

    Attributes:
        plan (Plan): The plan.
        annotations (COCO): Those of ``val``.
        matches (dict[DetectorRun, DetectionMatches]): Of each run that
            counts.
    """

    def __init__(self, plan: Plan, resamples: int = 1000) -> None:
        self.plan = plan
        self.resamples = resamples
        self._differences: dict[tuple, dict[str, Difference]] = {}
        self.annotations: COCO = read_annotations(plan.val_file)
        self.matches = {
            run: self._read(run)
            for run in _complete(detector_runs(plan.runs), plan.candidates)
        }

    @property
    def fractions(self) -> list[float]:
        """Shares of the labels of which there is a result, falling."""
        return sorted({run.fraction for run in self.matches}, reverse=True)

    def runs(self, candidate: Candidate, fraction: float) -> list[DetectorRun]:
        """Those of a candidate on a share of the labels.

        Args:
            candidate (Candidate): The candidate.
            fraction (float): The share.

        Returns:
            list[DetectorRun]: One for each seed.
        """
        wanted = self.plan.detectors(candidate, fraction)
        return [run for run in wanted if run in self.matches]

    def of(
        self, candidate: Candidate, fraction: float
    ) -> list[DetectionMatches]:
        """Evaluations of a candidate on a share of the labels.

        Args:
            candidate (Candidate): The candidate.
            fraction (float): The share.

        Returns:
            list[DetectionMatches]: One for each seed.
        """
        return [self.matches[run] for run in self.runs(candidate, fraction)]

    def pairs(self) -> Iterator[tuple[Candidate, Candidate]]:
        """All pairs, the later one first: it is held against the earlier.

        Yields:
            tuple[Candidate, Candidate]: A pair.
        """
        for second, first in combinations(self.plan.candidates, 2):
            yield first, second

    def differences(
        self, first: Candidate, second: Candidate, fraction: float
    ) -> dict[str, Difference]:
        """By how much a candidate is better than another.

        Args:
            first (Candidate): The one.
            second (Candidate): The other.
            fraction (float): Share of the labels.

        Returns:
            dict[str, Difference]: By metric, of those that there are.
        """
        pair = first, second, fraction
        if pair not in self._differences:
            self._differences[pair] = compare_metrics(
                self.of(first, fraction),
                self.of(second, fraction),
                resamples=self.resamples,
            )
        return self._differences[pair]

    def figures(self, candidate: Candidate, fraction: float) -> list[Mapping]:
        """All figures of a candidate on a share of the labels.

        Args:
            candidate (Candidate): The candidate.
            fraction (float): The share.

        Returns:
            list[Mapping]: Of each seed, see
            :meth:`DetectionMatches.average_precision`.
        """
        found = self.of(candidate, fraction)
        return [matches.average_precision() for matches in found]

    def gains_by_image(
        self, first: Candidate, second: Candidate, fraction: float
    ) -> np.ndarray:
        """By how much a candidate is better, image by image.

        Args:
            first (Candidate): The one.
            second (Candidate): The other.
            fraction (float): Share of the labels.

        Returns:
            np.ndarray: Difference of the AP50 of each image by itself, mean
            over the seeds, (I,), in the order of the images' ids; NaN where
            there is nothing to find.
        """
        own, other = (
            np.mean([_by_image(m) for m in self.of(each, fraction)], axis=0)
            for each in (first, second)
        )
        return own - other

    def _read(self, run: DetectorRun) -> DetectionMatches:
        kept = run.work_dir / 'matches.npz'
        written = run.predictions.stat().st_mtime
        if kept.is_file() and kept.stat().st_mtime > written:
            with suppress(UserValueError):  # damaged: they are had again
                return DetectionMatches.load(kept)
        results = read_results(run.predictions, self.annotations)
        matches = DetectionMatches.from_results(
            results, self.annotations, str(run.predictions)
        )
        matches.save(kept)
        return matches


def _by_image(matches: DetectionMatches) -> np.ndarray:
    """AP50 of each image by itself."""
    number = len(matches.image_ids)
    # All of thousands of images at once would not fit into the memory.
    return np.concatenate(
        [
            matches.resampled(
                np.eye(min(_AT_A_TIME, number - start), number, start, int),
                [METRIC],
            )[:, 0, 0]
            for start in range(0, number, _AT_A_TIME)
        ]
    )


def _complete(
    runs: Sequence[DetectorRun], candidates: Sequence[Candidate]
) -> list[DetectorRun]:
    done = [run for run in runs if run.is_done]
    names: dict[tuple, set] = {}
    for run in done:
        names.setdefault((run.fraction, run.seed), set()).add(run.candidate)
    return [
        run for run in done if names[run.fraction, run.seed] == set(candidates)
    ]
