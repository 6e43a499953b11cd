"""A plan in words, and worked off."""

import time
from collections.abc import Sequence
from functools import partial

from mmselfemd.errors import UserError
from mmselfemd.plurals import counted
from mmselfemd.process_pool import run_tasks

from .plan import Plan
from .runs import Run, share_done
from .wall_clock import wall_clock

_GIGABYTE = 1e9
#: Seconds from one line about the progress to the next.
_INTERVAL = 60.0


def describe_plan(
    plan: Plan, jobs: int, runs: Sequence[Run] | None = None
) -> str:
    """A plan in words: what runs, in which order, how long, how large.

    Args:
        plan (Plan): The plan.
        jobs (int): How many runs there are at a time.
        runs (Sequence[Run], optional): Those that are to be done. Defaults
            to None: all of the plan.

    Returns:
        str: Lines.
    """
    runs = plan.runs if runs is None else runs
    data, settings = plan.data, plan.settings
    labels = {f: subset.num_images for f, subset in plan.subsets.items()}
    lines = [
        f'{len(data.unlabelled)} unlabelled photographs, '
        f'{data.train.num_images} labelled ones for training, '
        f'{data.val.num_images} for evaluation, {data.counted_classes}.',
        'Labelled images of each fraction: '
        + ', '.join(f'{f:g}: {number}' for f, number in labels.items()),
        *_missing_classes(plan),
        '',
        f'{counted(len(runs), "run")}, in this order; '
        f'{counted(settings.seeds, "seed")} each:',
    ]
    for run in runs:
        done = ' (done)' if run.is_done else ''
        hours = plan.seconds_of(run) / 3600
        lines.append(
            f'  {run.name}: {run.iterations} iterations, about '
            f'{hours:.2f} h{done}'
        )
    rates = ', '.join(
        f'{name} {seconds.iteration:.3f}'
        for name, seconds in plan.seconds.items()
    )
    how = 'stated' if settings.seconds else 'measured'
    lines += [
        '',
        f'Seconds of an iteration, {how}: {rates}.',
        f'About {hours_left(plan, jobs, runs):.1f} hours for what is left, '
        f'{jobs} at a time; up to {plan.num_bytes / _GIGABYTE:.2f} GB on the '
        f'disk, in {plan.work_dir}.',
    ]
    return '\n'.join(lines)


def _missing_classes(plan: Plan) -> list[str]:
    """A detector does not learn what its share of the labels lacks."""
    lines = []
    for fraction, subset in plan.subsets.items():
        there = {box['category_id'] for box in subset.content['annotations']}
        names = [
            each['name']
            for each in subset.content['categories']
            if each['name'] in plan.data.classes and each['id'] not in there
        ]
        if names:
            lines.append(
                f'Without a box in the fraction {fraction:g}, so that its '
                f'detectors cannot find them: {", ".join(names)}'
            )
    return lines


def hours_left(
    plan: Plan, jobs: int, runs: Sequence[Run] | None = None
) -> float:
    """What is left, by the estimate.

    Args:
        plan (Plan): The plan.
        jobs (int): How many runs there are at a time.
        runs (Sequence[Run], optional): Which runs. Defaults to None: all of
            the plan.

    Returns:
        float: Hours by the clock.
    """
    runs = plan.runs if runs is None else runs
    return wall_clock(runs, partial(_left, plan), jobs) / 3600


def execute(
    plan: Plan, runs: Sequence[Run], jobs: int, devices: Sequence[str]
) -> None:
    """Work runs off, from where they are.

    Args:
        plan (Plan): What they are of.
        runs (Sequence[Run]): Those to do.
        jobs (int): How many at a time.
        devices (Sequence[str]): GPUs, one for each; or none.

    Raises:
        UserError: If one fails, or Ctrl-C has ended them.
    """
    progress = _Progress(plan, runs, jobs)
    try:
        run_tasks(
            [run.task for run in runs],
            jobs,
            devices,
            report=progress.say,
            watch=progress.watch,
        )
    except KeyboardInterrupt:
        raise UserError(
            'stopped; the runs have saved, and the same command goes on'
        ) from None


class _Progress:
    """Says from time to time how far the whole is."""

    def __init__(self, plan: Plan, runs: Sequence[Run], jobs: int) -> None:
        self.plan, self.runs, self.jobs = plan, runs, jobs
        self.start = self.last = time.time()
        self.at_start = hours_left(plan, jobs, runs)

    def say(self, line: str) -> None:
        """Print a line with the time of day."""
        print(f'{time.strftime("%H:%M:%S")} {line}', flush=True)

    def watch(self) -> None:
        """Say now and then how much is done, and the time left."""
        if time.time() - self.last < _INTERVAL:
            return
        self.last = time.time()
        left = hours_left(self.plan, self.jobs, self.runs)
        done = self.at_start - left
        # The estimate is off by a factor, which the past tells.
        factor = 1.0
        if done > 0.05 * self.at_start:
            factor = (self.last - self.start) / 3600 / done
        # What is trained and has yet to be evaluated takes none.
        share = 100 * done / self.at_start if self.at_start else 100
        finished = sum(run.is_done for run in self.runs)
        self.say(
            f'{finished} of {len(self.runs)} runs are done, {share:.0f} % of '
            f'the time; about {left * factor:.1f} hours left'
        )


def _left(plan: Plan, run: Run) -> float:
    return plan.seconds_of(run) * (1 - share_done(run))


def chain_of(
    plan: Plan, number: int, runs: Sequence[Run] | None = None
) -> list[Run]:
    """The runs of a candidate with a seed: no others wait for them.

    Args:
        plan (Plan): The plan.
        number (int): Which of :func:`num_chains`, from 0.
        runs (Sequence[Run], optional): Those that are to be done. Defaults
            to None: all of the plan.

    Returns:
        list[Run]: In their order.
    """
    candidates = plan.candidates
    seed, place = divmod(number, len(candidates))
    return [
        run
        for run in (plan.runs if runs is None else runs)
        if (run.seed, run.candidate) == (seed, candidates[place])
    ]


def num_chains(plan: Plan) -> int:
    """How many parts of a plan need nothing of each other.

    Args:
        plan (Plan): The plan.

    Returns:
        int: The number of candidates times that of seeds.
    """
    return len(plan.candidates) * plan.settings.seeds
