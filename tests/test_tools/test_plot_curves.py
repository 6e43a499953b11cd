"""tools/analysis_tools/plot_curves.py, run as a user runs it."""

import importlib.util
import json
from pathlib import Path

import pytest
from forked_scripts import run_script
from PIL import Image

from mmselfemd.errors import UserError

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
    for option, value in (('--out', 'curves.pdf'), ('--window', 0)):
        done = run(*paths, '--keys', 'accuracy', option, value)
        assert done.returncode == 2 and 'Traceback' not in done.stderr
        assert f'error: {option} {value}: ' in done.stderr


def test_no_curve_takes_the_place_of_another(tmp_path, monkeypatch):
    path = ROOT / 'tools/analysis_tools/plot_curves.py'
    spec = importlib.util.spec_from_file_location('plot_curves', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    named = tool.named
    assert named(['a/run', 'b/other', 'mine=c/run']) == {
        'run': 'a/run',
        'other': 'b/other',
        'mine': 'c/run',
    }
    assert named(['.']) == {'.': '.'}
    both = ['seed0/run', 'seed1/run']
    assert named(both) == dict(zip(both, both, strict=True))
    for twice in (['x=a', 'x=b'], ['a/run', 'a/run'], ['x=a', 'b/x']):
        with pytest.raises(UserError, match='are both called'):
            named(twice)
    # What is there is a path, whatever it is called.
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lr=0.1').mkdir()
    assert named(['lr=0.1', 'x=lr=0.2/run']) == {
        'lr=0.1': 'lr=0.1',
        'x': 'lr=0.2/run',
    }
