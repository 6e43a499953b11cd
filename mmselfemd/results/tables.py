"""Which run belongs into which row of the paper's tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .paper import UNKNOWN, PaperTable, read_paper_tables
from .runs import DetectionRun


class FilledTable(NamedTuple):
    """A table of the paper with what was run of it.

    Attributes:
        paper (PaperTable): The paper's.
        runs (list[list[DetectionRun]]): For each of its rows the finished
            runs.
    """

    paper: PaperTable
    runs: list[list[DetectionRun]]


def fill_tables(runs: Sequence[DetectionRun]) -> list[FilledTable]:
    """Put finished runs into the rows that they are of.

    Args:
        runs (Sequence[DetectionRun]): All runs.

    Returns:
        list[FilledTable]: Tables 1 to 5. A row may have several runs, and a
            run may be in several tables.
    """
    finished = [run for run in runs if _is_finished(run)]
    return [
        FilledTable(
            table,
            [
                [
                    run
                    for run in finished
                    if (run.detector, run.pretraining)
                    == (row.detector, row.pretraining)
                ]
                for row in table.rows
            ],
        )
        for table in read_paper_tables()
    ]


def reasons_for_no_row(
    runs: Sequence[DetectionRun], tables: Sequence[FilledTable]
) -> dict[Path, str]:
    """Say of every run that is in no table why it is not.

    Args:
        runs (Sequence[DetectionRun]): All runs.
        tables (Sequence[FilledTable]): As from :func:`fill_tables`.

    Returns:
        dict[Path, str]: The reason by the work directory.
    """
    used = {
        run.work_dir
        for table in tables
        for row_runs in table.runs
        for run in row_runs
    }
    reasons = {}
    for run in runs:
        if run.work_dir in used:
            continue
        is_detector_of_a_row = any(
            run.detector == row.detector
            for table in tables
            for row in table.paper.rows
        )
        if is_detector_of_a_row and not _is_finished(run):
            reasons[run.work_dir] = (
                f'not finished: evaluated at iteration {run.iterations} of '
                f'{run.max_iters}'
            )
        else:
            reasons[run.work_dir] = (
                f'no row of {run.detector} from {run.pretraining}'
            )
            if run.pretraining == UNKNOWN:
                reasons[run.work_dir] += (
                    '; say what its backbone is from, as PRETRAINING=WORK_DIR'
                )
    return reasons


def _is_finished(run: DetectionRun) -> bool:
    return 0 < run.max_iters <= run.iterations
