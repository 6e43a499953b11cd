"""A study's table says what each seed reads."""

import pytest

from mmselfemd.study import Record, render_study, report

FIGURES = (*report.FIGURES, *report.CONTROLS)


@pytest.fixture
def table(monkeypatch):
    """The row of one candidate, by the values that its seeds read."""
    monkeypatch.setattr(report, 'figures_of', lambda sums: sums)
    monkeypatch.setattr(report, 'differences_to_baseline', lambda *_: {})

    def row_of(values):
        records = [
            Record('selfemd', seed, 20, dict.fromkeys(FIGURES, value))
            for seed, value in enumerate(values)
        ]
        first = render_study(records, 20).splitlines()[2]
        return [cell.strip() for cell in first.strip('|').split('|')]

    return row_of


def test_every_seed_has_its_value_where_two_read_alike(table):
    label, seeds, gain, *_ = table([0.058, 0.0576, 0.046])
    assert (label, seeds) == ('Self-EMD (default)', '3')
    assert gain == '0.058, 0.058, 0.046'


def test_what_all_seeds_read_stands_once(table):
    assert table([0.07, 0.07, 0.07])[2] == '0.070'
