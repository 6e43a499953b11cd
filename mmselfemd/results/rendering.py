"""Filled tables as Markdown and LaTeX."""

from collections.abc import Sequence

from .runs import DetectionRun
from .tables import FilledTable, differences

_NOT_RUN = 'not run'


def render_markdown(table: FilledTable) -> str:
    """Render a table in Markdown.

    A cell holds our figure and, in brackets, the paper's. Of several runs it
    is the mean, with the lowest and the highest.

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
        lines += ['', *(f'{number}. {note}' for number, note in notes)]
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
        *(rf'% {number}. {note}' for number, note in notes),
        r'\end{table}',
    ]
    return '\n'.join(lines)


def _cells(
    table: FilledTable,
) -> tuple[list[str], list[list[str]], list[tuple[int, str]]]:
    """Header, rows, and notes by their numbers."""
    header = [*table.paper.columns, *table.paper.metrics, 'Runs']
    rows: list[list[str]] = []
    notes: list[tuple[int, str]] = []
    for row, runs in zip(table.paper.rows, table.runs, strict=True):
        marks = []
        for run in runs:
            if changed := differences(run):
                number = len(notes) + 1
                notes.append((number, f'{run.work_dir}: {"; ".join(changed)}'))
                marks.append(f'({number})')
        figures = [
            f'{_figure(runs, metric)} [{paper:.1f}]'.strip()
            for metric, paper in zip(
                table.paper.metrics, row.figures, strict=True
            )
        ]
        count = str(len(runs)) if runs else _NOT_RUN
        if row.pretraining == 'none':
            count = 'not in this project'
        rows.append([*row.labels, *figures, ' '.join([count, *marks])])
    return header, rows, notes


def _figure(runs: Sequence[DetectionRun], metric: str) -> str:
    """Mean of runs, with its spread if there is one; '' for none."""
    values = [run.figures[metric] for run in runs if metric in run.figures]
    if not values:
        return ''
    mean = f'{sum(values) / len(values):.1f}'
    if len(values) == 1:
        return mean
    return f'{mean} ({min(values):.1f} to {max(values):.1f})'


def _markdown_line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


def _latex_line(cells: Sequence[str]) -> str:
    return ' & '.join(map(_escape, cells)) + r' \\'


def _escape(text: str) -> str:
    for character in '&%_#':
        text = text.replace(character, '\\' + character)
    return text
