"""How long the runs of a study may be to end within some minutes."""

import json
import shutil
import time
from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from heapq import heapreplace
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write
from mmselfemd.comparison.timing import Seconds
from mmselfemd.comparison.trial import measure
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.settings.run_length import iterations_in_epoch

from .pretraining import Run

#: Readings of a run: its epochs are so many times those between two.
NUM_READINGS = 4

#: Seeds are left out before runs become shorter than this.
ENOUGH_EPOCHS = 40

#: Of the minutes, the share that is planned with.
_PLANNED = 0.95

_KEPT = 'length.json'


class Length(NamedTuple):
    """How long a study is.

    Attributes:
        epochs (int): Of each run.
        seeds (list[int]): Each candidate has a run of each.
    """

    epochs: int
    seeds: list[int]

    @property
    def interval(self) -> int:
        """Epochs from one reading to the next."""
        return self.epochs // NUM_READINGS


def length_within(
    minutes: float,
    jobs: int,
    seeds: Sequence[int],
    seconds: Iterable[Seconds],
    in_epoch: int,
    reading: float = 0.0,
    spent: float = 0.0,
) -> Length:
    """As many seeds as fit, and then as many epochs.

    Args:
        minutes (float): The budget, by the clock.
        jobs (int): How many runs there are at a time.
        seeds (Sequence[int]): The first of these are taken: all, if each run
            may have :data:`ENOUGH_EPOCHS`, and one at least.
        seconds (Iterable[Seconds]): What a run of each candidate takes.
        in_epoch (int): Iterations of an epoch.
        reading (float): Seconds of one reading, which are made one by one
            when all is trained: of an untrained backbone of each seed, and
            :data:`NUM_READINGS` of each run. Defaults to 0.
        spent (float): Minutes of the budget that are over. Defaults to 0.

    Returns:
        Length: Of epochs a multiple of :data:`NUM_READINGS`.

    Raises:
        UserValueError: If a single seed has no time for so many.
    """
    seconds = list(seconds)
    budget = 60 * (_PLANNED * minutes - spent)

    def clock(part: int, count: int) -> float:
        """Seconds of runs with so many quarters, of so many seeds."""
        iterations = part * NUM_READINGS * in_epoch
        runs = [each.of(iterations) for each in seconds] * count
        readings = count + NUM_READINGS * len(runs)
        return _clock(runs, jobs) + readings * reading

    for count in range(len(seeds), 0, -1):
        most = int(budget / (clock(1, 1) - clock(0, 1))) + 1
        parts = range(1, max(0, most) + 1)
        fitting = bisect(parts, budget, key=partial(clock, count=count))
        epochs = NUM_READINGS * fitting
        if epochs >= (ENOUGH_EPOCHS if count > 1 else NUM_READINGS):
            return Length(epochs, list(seeds[:count]))
    least = ceil((clock(1, 1) / 60 + spent) / _PLANNED)
    raise UserValueError(
        f'--minutes {minutes:g}: that is too little for {len(seconds)} runs '
        f'of {NUM_READINGS} epochs; take {least} or more, or fewer '
        '--candidates'
    )


def _clock(seconds: Iterable[float], jobs: int) -> float:
    """When the last run ends: each starts as soon as there is a place."""
    ends = [0.0] * jobs
    for each in seconds:
        heapreplace(ends, ends[0] + each)
    return max(ends)


def fitting_length(
    runs: Sequence[Run],
    options: Mapping[str, Any],
    jobs: int,
    reading: float,
    minutes: float,
    start: float,
) -> Length:
    """:func:`length_within` some minutes, by a few iterations of each.

    Args:
        runs (Sequence[Run]): The runs, of any length, seed after seed.
        options (Mapping[str, Any]): More of ``--cfg-options``, with the lists
            of :func:`write_lists`.
        jobs (int): How many runs there are at a time, here and later.
        reading (float): Seconds of one reading.
        minutes (float): The budget.
        start (float): Since when, by ``time.time()``.

    Returns:
        Length: What fits.

    Raises:
        UserError: If nothing fits, or a trial fails.
    """
    seconds, in_epoch = _try(runs, options, jobs)
    return length_within(
        minutes,
        jobs,
        list(dict.fromkeys(run.seed for run in runs)),
        seconds,
        in_epoch,
        reading,
        (time.time() - start) / 60,
    )


def _try(
    runs: Sequence[Run], options: Mapping[str, Any], jobs: int
) -> tuple[list[Seconds], int]:
    """What a run of each candidate takes; and iterations of an epoch."""
    candidates = list(dict.fromkeys(run.candidate.name for run in runs))
    # As many at a time as later, of several seeds if need be.
    tried = runs[: max(len(candidates), jobs)]
    configs = [
        load_config(str(run.config), cfg_options={**run.options(), **options})
        for run in tried
    ]
    cfg = configs[0]
    num_train, num_val = _num_images(cfg, 'train'), _num_images(cfg, 'val')
    folder = runs[0].work_dir.parent / 'trial'
    found = measure(
        {
            run.name: (each, num_train)
            for run, each in zip(tried, configs, strict=True)
        },
        num_val,
        1 + NUM_READINGS,  # of matching: before training, too
        folder,
        jobs,
        (),
    )
    shutil.rmtree(folder, ignore_errors=True)
    seconds = [found[run.name] for run in tried[: len(candidates)]]
    return seconds, iterations_in_epoch(cfg, num_train)


def _num_images(cfg: Config, split: str) -> int:
    dataset = cfg[f'{split}_dataloader'].dataset
    images = Path(dataset.ann_file).read_text().splitlines()
    return min(len(images), dataset.get('indices', len(images)))


def save_length(work_dir: Path, length: Length, runs: Sequence[Run]) -> None:
    """Keep what was chosen, so that the same command goes on with it.

    Args:
        work_dir (Path): Folder of the study.
        length (Length): What was chosen.
        runs (Sequence[Run]): For which it was.
    """
    kept = dict(length._asdict(), chosen_for=_names(runs))
    with atomic_write(work_dir / _KEPT) as file:
        file.write(json.dumps(kept).encode())


def kept_length(work_dir: Path, runs: Sequence[Run]) -> Length | None:
    """What :func:`save_length` kept.

    Args:
        work_dir (Path): Folder of the study.
        runs (Sequence[Run]): The runs, of any length.

    Returns:
        Length | None: None if nothing was chosen yet.

    Raises:
        UserError: If the file is damaged, or was chosen for other candidates
            or seeds.
    """
    path = work_dir / _KEPT
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text())
        length = Length(int(kept['epochs']), [int(s) for s in kept['seeds']])
        is_whole = length.epochs > 0 and length.epochs % NUM_READINGS == 0
        if not (is_whole and length.seeds):
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise UserError(
            f'{path} is damaged: remove it, and the length is chosen again'
        ) from None
    if kept.get('chosen_for') != _names(runs):
        raise UserError(
            f'{path}: {length.epochs} epochs were chosen for other '
            '--candidates or --seeds. Give those again, --epochs without '
            '--fit, or another --work-dir'
        )
    return length


def _names(runs: Sequence[Run]) -> list[str]:
    return [f'{run.candidate.name} {run.seed}' for run in runs]
