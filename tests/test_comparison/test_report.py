"""What a comparison says in the end."""

import json
import re
import subprocess

import numpy as np
import pytest

from mmselfemd.comparison.detection_matches import METRICS
from mmselfemd.comparison.report import write_report
from mmselfemd.comparison.results import Results
from mmselfemd.comparison.runs import DetectorRun, share_done
from mmselfemd.comparison.slurm import write_slurm_script
from mmselfemd.errors import UserError


@pytest.fixture
def finished(plan, finish):
    """As if all was trained: Self-EMD finds nearly all, random little."""
    for run in plan.runs:
        finish(plan, run, dict(random=0.3, selfemd=0.95)[run.candidate.name])
    return plan


def test_a_sentence_for_each_share_and_all_figures(finished):
    said = write_report(finished, 50)
    assert len(said) == 2
    for sentence in said:
        assert 'Self-EMD' in sentence and 'random weights' in sentence
        assert '2 seeds' in sentence
    report = json.loads((finished.work_dir / 'report.json').read_text())
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


def test_the_page_stands_alone(finished):
    sentence = write_report(finished, 50)[0]
    page = (finished.work_dir / 'report.html').read_text()
    assert sentence in page
    sources = re.findall(r'(?:src|href)="([^"]{5})', page)
    assert set(sources) == {'data:'}
    # Curves of loss, of AP over labels and twice over time; the best and the
    # worst images.
    assert len(sources) >= 6
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


def test_only_seeds_that_are_whole_count(plan, finish):
    with pytest.raises(UserError, match='nothing to report'):
        write_report(plan, 50)
    for run in plan.runs:
        if run.seed == 0 or run.candidate.name == 'random':
            finish(plan, run)
    (sentence, *_) = write_report(plan, 50)
    assert 'one seed is too few' in sentence
    page = (plan.work_dir / 'report.md').read_text()
    assert '3 of 10 runs are not done' in page


def test_time_is_that_of_training(finished):
    write_report(finished, 50)
    report = json.loads((finished.work_dir / 'report.json').read_text())
    # 4 iterations of half a second; evaluations are not among them.
    assert {row['time'] for row in report['usage']} == {'0:00:02'}


def test_how_far_a_run_is(plan, finish):
    run = next(r for r in plan.runs if isinstance(r, DetectorRun))
    assert share_done(run) == 0
    finish(plan, run)
    assert share_done(run) == 1
    run.predictions.unlink()
    assert share_done(run) == 0.5  # two of four iterations


def test_the_script_for_slurm(plan):
    path = write_slurm_script(
        plan, ['tools/compare_pretraining.py', '--images', 'my photos'], '/a b'
    )
    text = (plan.work_dir / 'slurm.sh').read_text()
    assert path == str(plan.work_dir / 'slurm.sh')
    assert '#SBATCH --array=0-3\n' in text  # 2 candidates, 2 seeds
    assert "'my photos'" in text and "cd '/a b'" in text
    assert '--task "$SLURM_ARRAY_TASK_ID"' in text
    subprocess.run(['bash', '-n', path], check=True)
