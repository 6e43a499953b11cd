"""A comparison of which only a part is done."""

import subprocess

import pytest

from mmselfemd.comparison.report import write_report
from mmselfemd.comparison.runs import DetectorRun, share_done
from mmselfemd.comparison.slurm import write_slurm_script
from mmselfemd.errors import UserError


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
