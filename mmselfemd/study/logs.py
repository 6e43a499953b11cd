"""What the logs of a study's runs say of the loss and of its own flow."""

from collections.abc import Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

from mmselfemd.evaluation.own_flow import summarise_own_flow
from mmselfemd.visualization import read_scalars

from .pretraining import Run

#: What is kept by epoch, as far as a candidate's run has it.
LOGGED = (
    'loss_byol',
    'loss_emd',
    'converged_fraction',
    'collapse/predicted_spread',
    'collapse/predicted_spread_within',
    'collapse/predicted_spread_across',
    'gradient/emd_share',
    'transport/matches_per_node',
)
_TRANSPORT = 'transport/'


def what_the_log_says(run: Run) -> dict[str, Any] | None:
    """Figures of a run that its readings do not have.

    Args:
        run (Run): A run, which may have been resumed.

    Returns:
        dict[str, Any] | None: ``candidate``, ``seed``, whole ``epochs`` so
        far; ``own_flow`` and its controls, of
        :func:`~mmselfemd.evaluation.own_flow.summarise_own_flow`, of a run
        that is done and whose loss has a flow of its own; and ``by_epoch``:
        of each of :data:`LOGGED` what was logged last before the half of the
        first interval, and before each checkpoint, if anything was since the
        one before. What is not finite is left out. None without a log, as of
        a run on another machine.
    """
    series = _series_of(run)
    if not series.get('epoch'):
        return None
    latest = int(max(series['epoch'].values()))
    done = run.epochs if run.is_done else latest - 1
    at = [max(1, run.interval // 2), *range(0, done + 1, run.interval)]
    own_flow = summarise_own_flow(
        {
            name.removeprefix(_TRANSPORT): list(values.values())
            for name, values in series.items()
            if name.startswith(_TRANSPORT) and run.is_done
        }
    )
    return dict(
        candidate=run.candidate.name,
        seed=run.seed,
        epochs=done,
        own_flow=_finite(own_flow),
        by_epoch={
            name: _at_epochs(
                series[name],
                series['epoch'],
                sorted({epoch for epoch in at if 0 < epoch <= done}),
            )
            for name in LOGGED
            if name in series
        },
    )


def _finite(figures: Mapping[Any, float]) -> dict[Any, float]:
    """Without NaN and infinity, which JSON has not."""
    return {
        name: value if isinstance(value, bool) else round(value, 4)
        for name, value in figures.items()
        if isfinite(value)
    }


def _series_of(run: Run) -> dict[str, dict[int, float]]:
    """Values by step; from where a run was resumed, its later ones alone."""
    series: dict[str, dict[int, float]] = {}
    for path in sorted(run.work_dir.glob('*/vis_data/scalars.json')):
        scalars = {
            name: each
            for name, each in read_scalars(path).items()
            if name in (*LOGGED, 'epoch') or name.startswith(_TRANSPORT)
        }
        begin = min(
            (s for steps, _ in scalars.values() for s in steps), default=0
        )
        for values in series.values():
            for step in [step for step in values if step >= begin]:
                del values[step]
        for name, each in scalars.items():
            series.setdefault(name, {}).update(zip(*each, strict=True))
    return series


def _at_epochs(
    values: Mapping[int, float], epochs: Mapping[int, float], at: list[int]
) -> dict[str, float]:
    """What was logged last up to each of some epochs, since the one before."""
    found = {}
    for first, last in pairwise([0, *at]):
        within = [
            value
            for step, value in values.items()
            if first < epochs.get(step, 0) <= last
        ]
        if within:
            found[str(last)] = within[-1]
    return _finite(found)
