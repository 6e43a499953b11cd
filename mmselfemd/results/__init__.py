"""Finished detection runs beside the figures of the paper."""

from .paper import PaperRow, PaperTable, read_paper_tables
from .rendering import render_latex, render_markdown
from .runs import DetectionRun, read_run
from .tables import FilledTable, fill_tables, reasons_for_no_row

__all__ = [
    'DetectionRun',
    'FilledTable',
    'PaperRow',
    'PaperTable',
    'fill_tables',
    'read_paper_tables',
    'read_run',
    'reasons_for_no_row',
    'render_latex',
    'render_markdown',
]
