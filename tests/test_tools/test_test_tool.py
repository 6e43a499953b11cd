"""tools/test.py, as a user runs it."""

import json
import os
import pickle
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from forked_scripts import run_script

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import toy_project  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """A config and a checkpoint that predicts 0.25 everywhere."""
    (tmp_path / 'toy.py').write_text(toy_project.CONFIG)
    model = toy_project.ToyModel(4, dict(type='BN'))
    torch.nn.init.zeros_(model.out.weight)
    torch.nn.init.constant_(model.out.bias, 0.25)
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'toy.pth')
    return tmp_path


def run_test(folder: Path, *args: str) -> CompletedProcess:
    env = dict(
        os.environ, PYTHONPATH=f'{ROOT}{os.pathsep}{HERE}', OMP_NUM_THREADS='1'
    )
    return run_script(
        ROOT / 'tools/test.py',
        *args,
        cwd=folder,
        env=env,
    )


def test_metrics_and_predictions(folder):
    result = run_test(
        folder,
        'toy.py',
        'toy.pth',
        '--work-dir',
        'results',
        '--out',
        'predictions.pkl',
    )
    assert result.returncode == 0, result.stderr
    targets = toy_project.ToyDataset(size=8).target
    metrics = [
        json.loads(path.read_text())
        for path in (folder / 'results').glob('*/*.json')
    ]
    assert metrics[0]['count'] == 8
    expected = (targets - 0.25).abs().mean().item()
    assert metrics[0]['error'] == pytest.approx(expected, abs=1e-6)
    with open(folder / 'predictions.pkl', 'rb') as file:
        predictions = pickle.load(file)
    assert [p['prediction'] for p in predictions] == [0.25] * 8


def test_missing_checkpoint_names_the_near_one(folder):
    result = run_test(folder, 'toy.py', 'toi.pth')
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    last = result.stderr.splitlines()[-1]
    assert "'toi.pth'" in last and "did you mean 'toy.pth'?" in last
