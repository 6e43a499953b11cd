"""Filled tables as Markdown and LaTeX."""

import re
from collections.abc import Sequence

from .comparison import differences
from .runs import DetectionRun
from .tables import FilledTable

_NOT_RUN = 'not run'
_UNLIKE = '*'  # at a figure of which a run is unlike the published one
_LEGEND = f'{_UNLIKE} from runs that are unlike the published ones:'


def render_markdown(table: FilledTable) -> str:
    """Render a table in Markdown.

    A cell holds our figure and, in brackets, the paper's. Of several runs it
    is the mean, with the lowest and the highest. Where a run is unlike the
    published one, its figures have an asterisk, and a note says in what.

    Args:
        table (FilledTable): The table.

    Returns:
        str: With a title, and the notes below it.
    """
    header, rows, notes = _cells(table)
    lines = [
        f'**Table {table.paper.number}.** {table.paper.caption}. '
        'Ours [the paper].',
        '',
        *(_markdown_line(cells) for cells in (header, ['---'] * len(header))),
        *(_markdown_line(cells) for cells in rows),
    ]
    if notes:
        lines += ['', _LEGEND.replace(_UNLIKE, rf'\{_UNLIKE}'), '']
    for number, (work_dir, reasons) in enumerate(notes, 1):
        lines.append(f'{number}. {work_dir}')
        lines += [f'   - {reason}' for reason in reasons]
    return '\n'.join(lines)


def render_latex(table: FilledTable) -> str:
    """Render a table in LaTeX, without further packages.

    Args:
        table (FilledTable): The table.

    Returns:
        str: A ``table`` environment; see :func:`render_markdown`.
    """
    header, rows, notes = _cells(table)
    columns = 'l' * len(table.paper.columns)
    columns += 'c' * (len(header) - len(columns))
    lines = [
        r'\begin{table}',
        r'\centering',
        rf'\begin{{tabular}}{{{columns}}}',
        r'\hline',
        _latex_line(header),
        r'\hline',
        *(_latex_line(cells) for cells in rows),
        r'\hline',
        r'\end{tabular}',
        r'\caption{'
        + _escape(f'{table.paper.caption}. Ours [the paper].')
        + '}',
        *_latex_notes(notes),
        r'\end{table}',
    ]
    return '\n'.join(lines)


def _cells(
    table: FilledTable,
) -> tuple[list[str], list[list[str]], list[tuple[str, list[str]]]]:
    """Header, rows, and notes: of each run that is unlike, in what."""
    header = [*table.paper.columns, *table.paper.metrics, 'Runs']
    rows: list[list[str]] = []
    notes: list[tuple[str, list[str]]] = []
    for row, runs in zip(table.paper.rows, table.runs, strict=True):
        marks = []
        for run in runs:
            if reasons := differences(run):
                notes.append((str(run.work_dir), reasons))
                marks.append(f'({len(notes)})')
        figures = [
            f'{_figure(runs, metric, bool(marks))} [{paper:.1f}]'.strip()
            for metric, paper in zip(
                table.paper.metrics, row.figures, strict=True
            )
        ]
        count = str(len(runs)) if runs else _NOT_RUN
        rows.append([*row.labels, *figures, ' '.join([count, *marks])])
    return header, rows, notes


def _figure(runs: Sequence[DetectionRun], metric: str, is_unlike: bool) -> str:
    """Mean of runs, with its spread if there is one; '' for none."""
    values = [run.figures[metric] for run in runs if metric in run.figures]
    if not values:
        return ''
    mean = f'{sum(values) / len(values):.1f}{_UNLIKE if is_unlike else ""}'
    if len(values) == 1:
        return mean
    return f'{mean} ({min(values):.1f} to {max(values):.1f})'


def _markdown_line(cells: Sequence[str]) -> str:
    # A pair of asterisks in one line would be emphasis.
    escaped = (cell.replace(_UNLIKE, rf'\{_UNLIKE}') for cell in cells)
    return f'| {" | ".join(escaped)} |'


def _latex_line(cells: Sequence[str]) -> str:
    return ' & '.join(map(_escape, cells)) + r' \\'


def _latex_notes(notes: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Notes that are printed below the table, in small type."""
    if not notes:
        return []
    lines = [_LEGEND]
    for number, (work_dir, reasons) in enumerate(notes, 1):
        lines.append(f'({number}) {work_dir}: {"; ".join(reasons)}.')
    return [
        r'\raggedright\footnotesize',
        *(f'{_escape(line)}\\par' for line in lines),
    ]


def _escape(text: str) -> str:
    text = text.replace('\\', r'\textbackslash ')
    return re.sub(r'[&%_#${}]', r'\\\g<0>', text)
