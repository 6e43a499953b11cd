"""What the logs of a study's runs say of the loss and of its own flow."""

from bisect import bisect_right
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
        dict[str, Any] | None: ``candidate``, ``seed``, ``epochs`` so far;
        ``own_flow`` and its controls, of
        :func:`~mmselfemd.evaluation.own_flow.summarise_own_flow`, where the
        loss has a flow of its own; and ``by_epoch``: of each of
        :data:`LOGGED` what was logged last up to half of the first interval,
        and up to each checkpoint. None without a log, as of a run on another
        machine.
    """
    series = _series_of(run)
    if not series.get('epoch'):
        return None
    epochs = series['epoch']
    at = [max(1, run.interval // 2)]
    at += range(run.interval, run.epochs + 1, run.interval)
    own_flow = summarise_own_flow(
        {
            name.removeprefix(_TRANSPORT): list(values.values())
            for name, values in series.items()
            if name.startswith(_TRANSPORT)
        }
    )
    return dict(
        candidate=run.candidate.name,
        seed=run.seed,
        epochs=int(max(epochs.values())),
        own_flow={
            name: value if isinstance(value, bool) else round(value, 4)
            for name, value in own_flow.items()
            if value == value  # NaN, which JSON has not, is what is unknown
        },
        by_epoch={
            name: _at_epochs(series[name], epochs, at)
            for name in LOGGED
            if name in series
        },
    )


def _series_of(run: Run) -> dict[str, dict[int, float]]:
    """Values by step; where a resumed run took a step again, the later."""
    series: dict[str, dict[int, float]] = {}
    for path in sorted(run.work_dir.glob('*/vis_data/scalars.json')):
        scalars = read_scalars(path)
        for name in scalars.keys() & {*LOGGED, 'epoch'} | {
            name for name in scalars if name.startswith(_TRANSPORT)
        }:
            values = series.setdefault(name, {})
            values.update(zip(*scalars[name], strict=True))
    return {
        name: dict(sorted(values.items())) for name, values in series.items()
    }


def _at_epochs(
    values: dict[int, float], epochs: dict[int, float], at: list[int]
) -> dict[str, float]:
    """What was logged last up to each of some epochs."""
    found, steps = {}, list(values)
    for epoch in at:
        within = [step for step, now in epochs.items() if now <= epoch]
        past = bisect_right(steps, max(within, default=-1))
        is_reached = epoch <= max(epochs.values())
        if past and is_reached:
            found[str(epoch)] = round(values[steps[past - 1]], 4)
    return found
