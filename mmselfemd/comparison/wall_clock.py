"""How long runs take together, some at a time, each after what it needs."""

import heapq
from collections.abc import Callable, Sequence

from .runs import PretrainingRun, Run


def wall_clock(
    runs: Sequence[Run], seconds_of: Callable[[Run], float], jobs: int
) -> float:
    """Seconds from the start of the first run to the end of the last.

    More than all their seconds over ``jobs``: detectors wait for the
    pre-training before them, and of the last run the others are idle. They
    are started as :func:`~mmselfemd.process_pool.run_tasks` does: the first
    one that can be, as soon as there is a place.

    Args:
        runs (Sequence[Run]): The runs, in their order.
        seconds_of (Callable): What each takes.
        jobs (int): How many there are at a time.

    Returns:
        float: Seconds.
    """
    waiting = list(runs)
    missing = {
        str(run.backbone) for run in runs if isinstance(run, PretrainingRun)
    }
    running: list[tuple[float, int]] = []  # the end of each, and its place
    now = 0.0
    while waiting or running:
        ready = [run for run in waiting if _needed_by(run) not in missing]
        for run in ready[: jobs - len(running)]:
            waiting.remove(run)
            end = now + seconds_of(run)
            heapq.heappush(running, (end, runs.index(run)))
        now, place = heapq.heappop(running)
        if isinstance(runs[place], PretrainingRun):
            missing.remove(str(runs[place].backbone))
    return now


def _needed_by(run: Run) -> str | None:
    return None if isinstance(run, PretrainingRun) else run.pretrained
