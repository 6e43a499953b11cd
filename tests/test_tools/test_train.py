"""tools/train.py, as a user runs it."""

import json
import os
import sys
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from forked_scripts import run_script
from mmengine.config import Config

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import toy_project  # noqa: E402


def run_train(folder: Path, *args: str) -> CompletedProcess:
    env = dict(
        os.environ, PYTHONPATH=f'{ROOT}{os.pathsep}{HERE}', OMP_NUM_THREADS='1'
    )
    return run_script(
        ROOT / 'tools/train.py',
        *args,
        cwd=folder,
        env=env,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Two epochs with --amp, in the default work directory."""
    folder = tmp_path_factory.mktemp('train')
    (folder / 'toy.py').write_text(toy_project.CONFIG)
    result = run_train(
        folder,
        'toy.py',
        '--amp',
        '--cfg-options',
        'optim_wrapper.optimizer.lr=0.02',
        'train_dataloader.dataset.size=12',
    )
    assert result.returncode == 0, result.stderr
    return folder, result


def test_default_work_dir_and_options(trained):
    folder, _ = trained
    work_dir = folder / 'work_dirs' / 'toy'
    assert (work_dir / 'epoch_2.pth').exists()
    dumped = Config.fromfile(work_dir / 'toy.py')
    assert dumped.optim_wrapper.optimizer.lr == 0.02
    assert dumped.train_dataloader.dataset.size == 12
    report = json.loads((work_dir / 'report_0.json').read_text())
    assert report['lr'] == [0.02]


@pytest.mark.skipif(torch.cuda.is_available(), reason='this host has a GPU')
def test_without_gpu_amp_says_so_and_sync_bn_becomes_bn(trained):
    folder, result = trained
    lines = [
        line
        for line in (result.stdout + result.stderr).splitlines()
        if '--amp' in line
    ]
    assert len(lines) == 1 and 'float32' in lines[0]
    work_dir = folder / 'work_dirs' / 'toy'
    report = json.loads((work_dir / 'report_0.json').read_text())
    assert report['optim_wrapper'] == 'OptimWrapper'
    assert report['norm'] == '_BatchNormXd'
    dumped = Config.fromfile(work_dir / 'toy.py')
    assert dumped.model.norm_cfg.type == 'SyncBN'


def test_resume_goes_on_from_the_last_checkpoint(trained):
    folder, _ = trained
    result = run_train(
        folder, 'toy.py', '--resume', '--cfg-options', 'train_cfg.max_epochs=3'
    )
    assert result.returncode == 0, result.stderr
    work_dir = folder / 'work_dirs' / 'toy'
    report = json.loads((work_dir / 'report_0.json').read_text())
    assert report['start_epoch'] == 2
    assert (work_dir / 'epoch_3.pth').exists()


def test_misspelt_option_is_one_line(tmp_path):
    (tmp_path / 'toy.py').write_text(toy_project.CONFIG)
    result = run_train(tmp_path, 'toy.py', '--cfg-options', 'model.chanels=3')
    assert result.returncode == 2
    assert 'Traceback' not in result.stderr
    assert result.stderr.splitlines()[-1] == (
        "train.py: error: --cfg-options model.chanels: 'model' has no "
        "'chanels'; did you mean 'channels'?"
    )
    assert not (tmp_path / 'work_dirs').exists()
