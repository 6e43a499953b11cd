"""tools/analysis_tools/benchmark_annotations.py, small."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOL = 'tools/analysis_tools/benchmark_annotations.py'


def test_the_check_is_a_small_part_of_loading(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    done = subprocess.run(
        [
            sys.executable,
            TOOL,
            '--num-images=3000',
            '--num-boxes=20000',
            '--rounds=3',
            f'--json={out}',
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert figures['boxes'] == 20_000 and figures['stops'] == 0
    loading = [each['load_and_index'] for each in figures['rounds']]
    checking = [each['check'] for each in figures['rounds']]
    assert len(loading) == 3
    assert figures['check_over_load'] == min(checking) / min(loading)
    # A file of COCO's own size is held against 0.1, by hand.
    assert figures['check_over_load'] < 0.3
