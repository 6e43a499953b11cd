"""What a comparison says in the end."""

import errno
import json
import os
import re
import time

import numpy as np
import pytest

from mmselfemd.comparison import pictures
from mmselfemd.comparison import report as report_module
from mmselfemd.comparison.layout import config_file
from mmselfemd.comparison.metrics import METRICS
from mmselfemd.comparison.report import write_report
from mmselfemd.comparison.results import Results
from mmselfemd.datasets.pictures import ValueMapping


@pytest.fixture(scope='module')
def said(finished):
    """The sentences of the report."""
    return write_report(finished, 50)


@pytest.fixture(scope='module')
def report(finished, said):
    """The report itself."""
    return json.loads((finished.work_dir / 'report.json').read_text())


def test_a_sentence_for_each_share_and_all_figures(said, report):
    assert len(said) == 2
    for sentence in said:
        assert 'Self-EMD' in sentence and 'random weights' in sentence
        assert '2 seeds' in sentence
    assert [each['labels'] for each in report['sentences']] == [1.0, 0.5]
    assert len(report['detectors']) == 8
    for detector in report['detectors']:
        assert detector['figures'].keys() == {*METRICS, 'per_class'}
        assert detector['figures']['per_class'].keys() == {'dark', 'light'}
    (difference,) = (
        each
        for each in report['differences']
        if (each['labels'], each['metric']) == (1.0, 'AP50')
    )
    of = {
        name: np.mean(
            [
                each['figures']['AP50']
                for each in report['detectors']
                if (each['candidate'], each['labels']) == (name, 1.0)
            ]
        )
        for name in ('random', 'selfemd')
    }
    assert difference['mean'] == pytest.approx(of['selfemd'] - of['random'])
    assert difference['first'] == 'selfemd'


def test_the_page_stands_alone(finished, said):
    sentence = said[0]
    page = (finished.work_dir / 'report.html').read_text()
    assert sentence in page
    sources = re.findall(r'(?:src|href)="([^"]{5})', page)
    assert set(sources) == {'data:'}
    # Curves of loss and of AP over labels; the three best and worst images.
    # One evaluation, at the end, makes no curve.
    assert len(sources) == 2 + 6
    for name in ('AP_small', 'dark', 'light', 'time of training'):
        assert name in page
    text = (finished.work_dir / 'report.md').read_text()
    assert sentence in text
    for place in re.findall(r'\]\((\S+)\)', text):
        assert (finished.work_dir / place).is_file()


def test_the_best_image_is_one_that_random_weights_miss(finished):
    results = Results(finished)
    random, selfemd = finished.candidates
    gains = results.gains_by_image(selfemd, random, 1.0)
    assert gains.shape == (6,)
    assert np.nanmax(gains) > 0.4
    assert (results.gains_by_image(random, selfemd, 1.0) == -gains).all()


def test_pictures_show_what_the_detectors_see(finished, monkeypatch, tmp_path):
    """Of values that are no 8-bit colour by themselves."""
    random, selfemd = finished.candidates
    path = config_file(finished.work_dir, 1.0)
    text = path.read_text()
    seen = []

    def read(path, mapping):
        seen.append(mapping)
        return np.zeros((64, 80, 3), np.uint8)

    monkeypatch.setattr(pictures, 'read_rgb', read)
    for line, expected in (
        ('', ValueMapping()),
        ('value_range = (29000, 31000)', ValueMapping((29000, 31000))),
    ):
        seen.clear()
        path.write_text(f'{text}\n{line}\n')
        try:
            pictures.save_pictures(
                Results(finished, 10), selfemd, random, 1.0, tmp_path
            )
        finally:
            path.write_text(text)
        assert seen and set(map(repr, seen)) == {repr(expected)}


def test_time_is_that_of_training(report):
    # 4 iterations of half a second; evaluations are not among them.
    assert {row['time'] for row in report['usage']} == {'0:00:02'}


def test_what_is_derived_is_had_again(finished):
    figures = Results(finished, 10).figures(finished.candidates[0], 1.0)
    later = time.time() + 99
    for path in finished.work_dir.glob('detectors/*/matches.npz'):
        path.write_bytes(b'cut')
        os.utime(path, (later, later))
    again = Results(finished, 10).figures(finished.candidates[0], 1.0)
    assert again == figures


def test_a_full_disk_leaves_the_former_report(finished, said, monkeypatch):
    for name in ('save_figures', 'save_pictures'):  # which take seconds
        monkeypatch.setattr(report_module, name, lambda *given: {})
    files = list(finished.work_dir.glob('report.*'))
    before = [file.read_bytes() for file in files]

    def full(number):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space'):
        write_report(finished, 11)
    assert [file.read_bytes() for file in files] == before
    assert not list(finished.work_dir.rglob('*.incomplete'))
