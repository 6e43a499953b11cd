"""Time and memory of the runs of a comparison, by their logs."""

from collections.abc import Mapping

from .plan import Plan
from .runs import Run, curves_of


def usage_rows(plan: Plan) -> list[dict[str, str]]:
    """What each run took.

    Args:
        plan (Plan): The plan.

    Returns:
        list[dict[str, str]]: ``run``, ``iterations``, ``time`` (iterations by
        the mean seconds of one that were logged) and ``memory`` (the most
        that its tensors took on the GPU; ``-`` on a CPU, of which the log
        does not tell).
    """
    return [_row(run) for run in plan.runs if run.work_dir.is_dir()]


def _row(run: Run) -> dict[str, str]:
    has_log = any(run.work_dir.glob('*/vis_data/scalars.json'))
    curves: Mapping = curves_of(run) if has_log else {}
    # Evaluations log a time, too, at steps of the same numbers; the losses
    # are those of training alone.
    steps = set(curves.get('loss', ([], []))[0])
    times = [
        value
        for step, value in zip(*curves.get('time', ([], [])), strict=True)
        if step in steps
    ]
    memory = max(curves.get('memory', ([], [0]))[1])
    seconds = run.iterations * sum(times) / len(times) if times else None
    return dict(
        run=run.name,
        iterations=str(run.iterations),
        time='-' if seconds is None else _clock(seconds),
        memory=f'{memory:.0f} MB' if memory else '-',
    )


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f'{hours}:{rest // 60:02d}:{rest % 60:02d}'
