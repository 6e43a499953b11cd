"""Time and memory of the runs of a comparison, by their logs."""

from .plan import Plan
from .runs import Run, training_log


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
    logged = training_log(run)
    times = [each['time'] for each in logged]
    memory = max((each.get('memory', 0) for each in logged), default=0)
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
