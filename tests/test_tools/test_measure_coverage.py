"""tools/analysis_tools/measure_coverage.py, small."""

import json
from pathlib import Path

from forked_scripts import run_script

ROOT = Path(__file__).parents[2]


def test_ours_covers_and_a_bootstrap_over_seeds_does_not(tmp_path):
    out = tmp_path / 'new' / 'out.json'
    done = run_script(
        ROOT / 'tools/analysis_tools/measure_coverage.py',
        *('--trials=200', '--seeds', 3, '--num-images=50'),
        *('--resamples=100', f'--json={out}'),
    )
    assert done.returncode == 0, done.stderr
    rows = {row['noise']: row for row in json.loads(out.read_text())}
    assert len(rows) == 4 and 'ours' in done.stdout
    for row in rows.values():
        # 200 tries of 95 %: a standard error of 1.5 %.
        assert row['ours'] >= 0.92
    assert rows['mostly seeds']['bootstrap of images and seeds'] < 0.9
    assert rows['mostly images']['seeds by t alone'] < 0.9
