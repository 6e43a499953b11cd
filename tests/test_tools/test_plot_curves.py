"""tools/analysis_tools/plot_curves.py, run as a user runs it."""

import json
from pathlib import Path

from forked_scripts import run_script
from PIL import Image

ROOT = Path(__file__).parents[2]


def run(*args):
    return run_script(
        'tools/analysis_tools/plot_curves.py',
        *args,
        cwd=ROOT,
    )


def test_two_runs_in_one_picture_and_a_missing_figure(tmp_path):
    for name in ('a', 'b'):
        results = {f'epoch_{n}.pth': dict(accuracy=n / 9) for n in range(9)}
        (tmp_path / f'{name}.json').write_text(json.dumps(results))
    paths = [f'first={tmp_path / "a.json"}', str(tmp_path / 'b.json')]
    out = tmp_path / 'new' / 'curves.png'
    done = run(*paths, '--keys', 'accuracy', f'--out={out}')
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    with Image.open(out) as image:
        assert min(image.size) > 400
    done = run(*paths, '--keys', 'loss')
    assert done.returncode != 0 and 'Traceback' not in done.stderr
    assert "no 'loss'; it has: accuracy" in done.stderr
