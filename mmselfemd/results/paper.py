"""Tables 1 to 5 of the paper, from ``paper_tables.yml``."""

from pathlib import Path
from typing import NamedTuple

import yaml

RANDOM = 'random'
SUPERVISED = 'supervised'
UNKNOWN = 'unknown'  # weights whose path does not tell what they are from


class PaperRow(NamedTuple):
    """A row of a table.

    Attributes:
        labels (tuple[str, ...]): What the row is, column by column.
        detector (str): Name of the detector's config.
        pretraining (str): Name of the config of pre-training, or ``random``
            or ``supervised``.
        figures (tuple[float, ...]): What the paper reports, in percent, for
            each metric of the table.
    """

    labels: tuple[str, ...]
    detector: str
    pretraining: str
    figures: tuple[float, ...]


class PaperTable(NamedTuple):
    """A table.

    Attributes:
        number (int): Its number in the paper.
        caption (str): What it shows.
        columns (tuple[str, ...]): Names of the columns of labels.
        metrics (tuple[str, ...]): Names of the columns of figures.
        rows (tuple[PaperRow, ...]): The rows, in the paper's order.
    """

    number: int
    caption: str
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[PaperRow, ...]


def read_paper_tables() -> list[PaperTable]:
    """Read the tables of the paper.

    Returns:
        list[PaperTable]: Tables 1 to 5.
    """
    text = Path(__file__).with_name('paper_tables.yml').read_text('utf-8')
    return [
        PaperTable(
            number=table['number'],
            caption=table['caption'],
            columns=tuple(table['columns']),
            metrics=tuple(table['metrics']),
            rows=tuple(
                PaperRow(
                    tuple(row['labels']), *row['runs'], tuple(row['figures'])
                )
                for row in table['rows']
            ),
        )
        for table in yaml.safe_load(text)
    ]
