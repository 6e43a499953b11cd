"""How long the runs of a study may be to end within some minutes."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
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
) -> Length:
    """As many seeds as fit, and then as many epochs.

    Args:
        minutes (float): The budget, by the clock.
        jobs (int): How many runs there are at a time.
        seeds (Sequence[int]): The first of these are taken: all, if each run
            may have :data:`ENOUGH_EPOCHS`, and one at least.
        seconds (Iterable[Seconds]): What a run of each candidate takes.
        in_epoch (int): Iterations of an epoch.

    Returns:
        Length: Of epochs a multiple of :data:`NUM_READINGS`.

    Raises:
        UserValueError: If a single seed has no time for so many.
    """
    seconds = list(seconds)
    fixed = sum(each.of(0) for each in seconds)
    epoch = in_epoch * sum(each.iteration for each in seconds)
    in_minute = 60 * _PLANNED * min(jobs, len(seconds))
    budget = in_minute * minutes
    for count in range(len(seeds), 0, -1):
        fitting = int((budget / count - fixed) / epoch)
        epochs = fitting // NUM_READINGS * NUM_READINGS
        if epochs >= (ENOUGH_EPOCHS if count > 1 else NUM_READINGS):
            return Length(epochs, list(seeds[:count]))
    least = ceil((fixed + NUM_READINGS * epoch) / in_minute)
    raise UserValueError(
        f'--minutes {minutes:g}: that is too little for {len(seconds)} runs '
        f'of {NUM_READINGS} epochs; take {least} or more, or fewer '
        '--candidates'
    )


def fitting_length(
    one_of_each: Sequence[Run],
    options: Mapping[str, Any],
    seeds: Sequence[int],
    jobs: int,
    deadline: float,
) -> Length:
    """:func:`length_within` what is left, by a few iterations of each.

    Args:
        one_of_each (Sequence[Run]): A run of each candidate.
        options (Mapping[str, Any]): More of ``--cfg-options``, with the lists
            of :func:`write_lists`.
        seeds (Sequence[int]): Those of which as many are taken as fit.
        jobs (int): How many runs there are at a time, here and later.
        deadline (float): When to end, by ``time.time()``.

    Returns:
        Length: What fits.

    Raises:
        UserError: If nothing fits, or a trial fails.
    """
    configs = {
        run.candidate.name: load_config(
            str(run.config), cfg_options={**run.options(), **options}
        )
        for run in one_of_each
    }
    cfg = next(iter(configs.values()))
    num_train, num_val = map(_num_images, (cfg, cfg), ('train', 'val'))
    seconds = measure(
        {name: (each, num_train) for name, each in configs.items()},
        num_val,
        1 + NUM_READINGS,  # of matching: before training, too
        one_of_each[0].work_dir.parent / 'trial',
        jobs,
        (),
    )
    in_epoch = iterations_in_epoch(cfg, num_train)
    minutes = (deadline - time.time()) / 60
    return length_within(minutes, jobs, seeds, seconds.values(), in_epoch)


def _num_images(cfg: Config, split: str) -> int:
    dataset = cfg[f'{split}_dataloader'].dataset
    images = Path(dataset.ann_file).read_text().splitlines()
    return min(len(images), dataset.get('indices', len(images)))


def save_length(work_dir: Path, length: Length) -> None:
    """Keep what was chosen, so that the same command goes on with it.

    Args:
        work_dir (Path): Folder of the study.
        length (Length): What was chosen.
    """
    with atomic_write(work_dir / _KEPT) as file:
        file.write(json.dumps(length._asdict()).encode())


def kept_length(work_dir: Path) -> Length | None:
    """What :func:`save_length` kept.

    Args:
        work_dir (Path): Folder of the study.

    Returns:
        Length | None: None if nothing was chosen yet.

    Raises:
        UserError: If the file is damaged.
    """
    path = work_dir / _KEPT
    if not path.is_file():
        return None
    try:
        kept = Length(**json.loads(path.read_text()))
        if kept.epochs >= NUM_READINGS and kept.seeds:
            return kept
    except (ValueError, TypeError):
        pass
    raise UserError(
        f'{path} is damaged: remove it, and the length is chosen again'
    )
