"""tools/analysis_tools/benchmark_bootstrap.py, small."""

import json
from pathlib import Path

from forked_scripts import run_script

ROOT = Path(__file__).parents[2]
TOOL = 'tools/analysis_tools/benchmark_bootstrap.py'


def test_writes_times_and_their_ratio(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    sizes = ['--num-images=60', '--num-classes=3', '--resamples=20']
    done = run_script(TOOL, *sizes, f'--json={out}', cwd=ROOT)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures['objects'] == 180 and figures['resamples'] == 20
    assert figures['resamples_over_evaluation'] == (
        figures['seconds_of_the_resamples']
        / figures['seconds_of_both_evaluations']
    )
