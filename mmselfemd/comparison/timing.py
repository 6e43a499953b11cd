"""How long the runs of a comparison may be to end within some hours."""

from bisect import bisect
from collections.abc import Mapping, Sequence
from functools import partial
from math import ceil
from typing import NamedTuple

from mmselfemd.errors import UserValueError

from .runs import (
    DetectorRun,
    Run,
    detector_runs,
    pretraining_runs,
)
from .wall_clock import wall_clock

#: Of the hours, the share that is planned with.
_PLANNED = 0.95

#: Steps up to the most iterations, by which their number is looked for.
_STEPS = 1000

#: Fewer iterations than these tell nothing.
_FEWEST = 20


class Seconds(NamedTuple):
    """What a run takes.

    Attributes:
        iteration (float): Of training.
        start (float): Once, from the start of the process to its end.
        evaluations (float): All evaluations on the way, and at the end.
    """

    iteration: float
    start: float = 0.0
    evaluations: float = 0.0

    def of(self, iterations: int) -> float:
        """Those of a whole run.

        Args:
            iterations (int): Of training.

        Returns:
            float: Seconds.
        """
        return self.start + iterations * self.iteration + self.evaluations


def kind_of(run: Run) -> str:
    """By whose time a run is estimated.

    Args:
        run (Run): The run.

    Returns:
        str: ``detector``, or the name of a way of pre-training.
    """
    return 'detector' if isinstance(run, DetectorRun) else run.candidate.name


def lengths_within(
    hours: float,
    jobs: int,
    runs: Sequence[Run],
    seconds: Mapping[str, Seconds],
    epoch: int = 1,
) -> tuple[int, int]:
    """Iterations of the runs that fit into some hours.

    What is left after all starts and evaluations goes in halves to
    pre-training and to the detectors; without pre-training, all to these.
    Of pre-training only whole epochs are taken, and the rest is left.

    Args:
        hours (float): The budget, by the clock.
        jobs (int): How many run at a time.
        runs (Sequence[Run]): The runs, of any length.
        seconds (Mapping[str, Seconds]): What they take, by :func:`kind_of`.
        epoch (int): Iterations of an epoch of pre-training. Defaults to 1.

    Returns:
        tuple[int, int]: Iterations of a pre-training and of a detector.

    Raises:
        UserValueError: If that would be fewer than 20 of either, or less than
            an epoch.
    """
    jobs = min(jobs, len(runs))
    clock = partial(_clock, runs, seconds, jobs)
    budget = _PLANNED * hours * 3600
    fixed = sum(seconds[kind_of(run)].of(0) for run in runs)
    kinds = [pretraining_runs(runs), detector_runs(runs)]
    rates = [
        sum(seconds[kind_of(run)].iteration for run in each) for each in kinds
    ]
    # If no process had to wait for another; the clock tells what is left.
    each_kind = max(0.0, jobs * budget - fixed) / sum(map(bool, kinds))
    most = [each_kind / rate if rate else 0 for rate in rates]
    too_many = bisect(
        range(_STEPS + 1),
        budget,
        key=lambda step: clock(*_lengths(most, step)),
    )
    pretraining, detector = _lengths(most, max(0, too_many - 1))
    pretraining = pretraining // epoch * epoch
    fewest = ceil(_FEWEST / epoch) * epoch if kinds[0] else 0
    if pretraining < fewest or (kinds[1] and detector < _FEWEST):
        # So many of the kind that takes longer; the other gets as much time.
        share = max(fewest * rates[0], _FEWEST * rates[1])
        least = [ceil(1.01 * share / rate) if rate else 0 for rate in rates]
        needed = ceil(10 * clock(*least) / 3600 / _PLANNED) / 10
        whole = f'; an epoch of pre-training has {epoch} iterations'
        raise UserValueError(
            f'--hours {hours:g}: that is too little for {len(kinds[0])} '
            f'pre-trainings and {len(kinds[1])} detectors, which take '
            f'{clock(0, 0) / 3600:.1f} hours to start and to evaluate alone'
            f'{whole if epoch > 1 else ""}. At least {needed} hours, fewer '
            '--fractions, --seeds or --candidates, or --iterations'
        )
    return pretraining, detector


def _clock(
    runs: Sequence[Run],
    seconds: Mapping[str, Seconds],
    jobs: int,
    pretraining: int,
    detector: int,
) -> float:
    """Seconds of all runs together, of so many iterations."""

    def seconds_of(run: Run) -> float:
        """By its kind."""
        is_detector = isinstance(run, DetectorRun)
        length = detector if is_detector else pretraining
        return seconds[kind_of(run)].of(length)

    return wall_clock(runs, seconds_of, jobs)


def _lengths(most: Sequence[float], step: int) -> tuple[int, int]:
    pretraining, detector = (int(each * step / _STEPS) for each in most)
    return pretraining, detector
