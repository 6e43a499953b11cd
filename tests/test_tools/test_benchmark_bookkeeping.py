"""tools/analysis_tools/benchmark_bookkeeping.py, run as a user runs it."""

import json
import os
from pathlib import Path

from forked_scripts import run_script

ROOT = Path(__file__).parents[2]
TOOL = 'tools/analysis_tools/benchmark_bookkeeping.py'


def test_late_iterations_cost_what_early_ones_do(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    done = run_script(
        TOOL,
        '--rounds=1',
        f'--json={out}',
        cwd=ROOT,
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    runs = {(run['kind'], run['iteration']): run for run in figures['runs']}
    seconds = {key: run['seconds'] for key, run in runs.items()}
    early, late = ('ours', 1_000), ('ours', 1_000_000)
    assert figures['late_over_early'] == seconds[late] / seconds[early]
    published = seconds['upstream', 369_600] / seconds['ours', 369_600]
    assert figures['upstream_over_ours'] == published
    # One round on a machine with others on it; unbounded it is a hundred.
    assert figures['late_over_early'] < 1.5
    assert figures['upstream_over_ours'] > 20
    sizes = {key: run['checkpoint_bytes'] for key, run in runs.items()}
    assert abs(sizes[late] - sizes[early]) < 1000
    # The control: as mmengine leaves it, 16 bytes a scalar and iteration.
    assert sizes['upstream', 369_600] > 12 * 16 * 369_600
