"""The readings that are kept are those of the page, each with controls."""

import json

import pytest

from mmselfemd.study import report

NEEDED = {'candidate', 'seed', 'epoch', 'ridge', 'knn', *report.CONTROLS}


@pytest.fixture(scope='module')
def records(root):
    return json.loads(
        (root / 'docs/results/what_the_flow_adds.json').read_text()
    )


def test_each_reading_has_its_controls(records):
    for record in records:
        assert record.keys() >= NEEDED
        gain = record['accuracy'] - record['other_image']
        assert record['gain'] == pytest.approx(gain, abs=2e-5)


def test_the_page_shows_every_seed(records, root):
    page = (root / 'docs/small_experiments.md').read_text()
    names = {record['candidate'] for record in records}
    assert {report.BASELINE, report.UNTRAINED, 'selfemd'} <= names
    for name in names:
        runs = sorted(
            (r['seed'], r['gain'], r['ridge'])
            for r in records
            if r['candidate'] == name and r['epoch'] in (0, 20)
        )
        assert len(runs) == 3
        (row,) = (
            line
            for line in page.splitlines()
            if line.startswith(f'| {report.LABELS[name]} | 3 |')
        )
        for place in (1, 2):
            values = ', '.join(f'{run[place]:.3f}' for run in runs)
            assert f'| {values} |' in row
