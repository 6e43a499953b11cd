"""tools/analysis_tools/benchmark_annotations.py, small."""

import json
from pathlib import Path

from forked_scripts import run_script

ROOT = Path(__file__).parents[2]
TOOL = 'tools/analysis_tools/benchmark_annotations.py'


def test_writes_times_and_their_ratio(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    sizes = ['--num-images=3000', '--num-boxes=20000', '--rounds=3']
    done = run_script(TOOL, *sizes, f'--json={out}', cwd=ROOT)
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures['boxes'] == 20_000 and figures['stops'] == 0
    loading = [each['load_and_index'] for each in figures['rounds']]
    checking = [each['check'] for each in figures['rounds']]
    assert len(loading) == 3
    assert figures['check_over_load'] == min(checking) / min(loading)
