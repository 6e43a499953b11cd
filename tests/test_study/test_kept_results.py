"""The readings that are kept are those of the page, each with controls."""

import json

import pytest

from mmselfemd.saved_arrays import load_arrays
from mmselfemd.study import (
    Origin,
    Record,
    find_candidates,
    load_sums,
    plan_runs,
    report,
)

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


@pytest.fixture(scope='module')
def kept(root):
    """The readings of the longer study that are to be gone on from."""
    runs = plan_runs(
        find_candidates(None), [0, 1, 2], root, root / 'docs/results', 40, 10
    )
    found = [
        Record('untrained', int(path.stem[-1]), 0, load_sums(path))
        for path in root.glob('docs/results/readings/untrained_*.npz')
    ]
    return found + [
        Record(run.candidate.name, run.seed, epoch, load_sums(path))
        for run in runs
        for epoch, path in run.readings.items()
    ]


def test_no_kept_reading_is_of_something_else(kept, root):
    files = [*root.glob('docs/results/readings/*')]
    assert len(files) == len(kept) >= 9


def test_kept_readings_are_those_of_the_page_and_the_json(kept, root):
    path = root / 'docs/results/what_the_flow_adds_40epochs.json'
    assert [record.as_json() for record in kept] == json.loads(
        path.read_text()
    )
    page = (root / 'docs/small_experiments.md').read_text()
    figures = ('gain', 'accuracy', 'other_image', 'ridge', 'knn_balanced')
    for record in kept:
        if record.epoch not in (0, 40):
            continue
        values = record.as_json()
        cells = [f'{values[name]:.3f}' for name in figures]
        row = [report.LABELS[record.candidate], '1', *cells]
        assert f'| {" | ".join(row)} |' in page


def test_kept_readings_may_be_paired(kept, root):
    """All are of one origin, which the next machine's have to share."""
    origins = [
        load_arrays(path, Origin._fields, 'origin')
        for path in root.glob('docs/results/readings/*.npz')
    ]
    first, *others = (Origin(**each) for each in origins)
    for other in others:
        first._replace(data=str(first.data)).check(root, other)
