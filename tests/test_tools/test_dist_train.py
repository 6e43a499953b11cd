"""tools/dist_train.sh, dist_test.sh and slurm_train.sh."""

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))
import toy_project  # noqa: E402

no_gpu = pytest.mark.skipif(
    torch.cuda.is_available(), reason='this host has a GPU'
)


def run_script(
    name: str, folder: Path, *args: str, **env: str
) -> subprocess.CompletedProcess:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        'PYTHON': sys.executable,
        'PYTHONPATH': str(HERE),
        'OMP_NUM_THREADS': '1',
        'PORT': str(port),
        **env,
    }
    return subprocess.run(
        [str(ROOT / 'tools' / name), *args],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Two processes, two epochs, with precise BN."""
    folder = tmp_path_factory.mktemp('dist train')  # a blank in the path
    (folder / 'toy.py').write_text(toy_project.CONFIG)
    result = run_script(
        'dist_train.sh',
        folder,
        'toy.py',
        '2',
        '--cfg-options',
        'default_hooks.precise_bn.type=mmselfemd.PreciseBNHook',
    )
    assert result.returncode == 0, result.stderr
    return folder, result


@no_gpu
def test_two_processes_train_one_model_by_gloo(trained):
    folder, result = trained
    work_dir = folder / 'work_dirs' / 'toy'
    first, second = (
        json.loads((work_dir / f'report_{rank}.json').read_text())
        for rank in (0, 1)
    )
    assert first['world_size'] == 2
    assert first['backend'] == 'gloo'
    assert first['device_ids'] is None
    assert first['norm'] == '_BatchNormXd'
    # The gradients are averaged, so the parameters stay the same; precise BN
    # is reduced over the processes, so the statistics are too.
    for a, b in zip(first['parameters'], second['parameters'], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(
        first['running_mean'], second['running_mean']
    )
    output = result.stdout + result.stderr
    assert 'No GPU on this host: 2 processes on the CPU, by gloo' in output
    assert '1 SyncBN layers become BN' in output
    dumped = Config.fromfile(work_dir / 'toy.py')
    assert dumped.model.norm_cfg.type == 'SyncBN'


@no_gpu
def test_two_processes_evaluate_every_image_once(trained):
    folder, _ = trained
    result = run_script(
        'dist_test.sh',
        folder,
        'toy.py',
        'work_dirs/toy/epoch_2.pth',
        '2',
        '--work-dir',
        'results',
    )
    assert result.returncode == 0, result.stderr
    metrics = [
        json.loads(path.read_text())
        for path in (folder / 'results').glob('*/*.json')
    ]
    assert metrics[0]['count'] == 8


@no_gpu
def test_error_is_the_last_line(tmp_path):
    (tmp_path / 'toy.py').write_text(toy_project.CONFIG)
    result = run_script(
        'dist_train.sh',
        tmp_path,
        'toy.py',
        '2',
        '--cfg-options',
        'model.chanels=3',
    )
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1] == (
        "train.py: error: --cfg-options model.chanels: 'model' has no "
        "'chanels'; did you mean 'channels'?"
    )


def test_fewer_gpus_than_asked_for(tmp_path):
    fake = tmp_path / 'python'
    write_program(fake, '#!/bin/sh\necho 1\n')  # torch.cuda.device_count()
    result = run_script(
        'dist_train.sh', tmp_path, 'toy.py', '2', PYTHON=str(fake)
    )
    assert result.returncode == 2
    assert result.stderr == ('error: 2 GPUs asked for, 1 found on this host\n')


@pytest.mark.parametrize('name', ['dist_train.sh', 'dist_test.sh'])
def test_number_of_gpus_is_a_number(name, tmp_path):
    result = run_script(name, tmp_path, 'toy.py', 'two', 'two')
    assert result.returncode == 2
    assert "got 'two'" in result.stderr
    result = run_script(name, tmp_path, 'toy.py')
    assert result.returncode == 2
    assert result.stderr.startswith('usage:')


@pytest.mark.parametrize('work_dir', [['some dir'], []])
def test_slurm_arguments(work_dir, tmp_path):
    write_program(
        tmp_path / 'srun', '#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n'
    )
    result = run_script(
        'slurm_train.sh',
        tmp_path,
        'gpu',
        'my job',
        'toy.py',
        *work_dir,
        '--amp',
        '--cfg-options',
        'model.name=a b',
        PATH=f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        GPUS='4',
        CPUS_PER_TASK='3',
        SRUN_ARGS='--quotatype=auto --exclusive',
    )
    assert result.returncode == 0, result.stderr
    args = result.stdout.splitlines()
    train = args.index(str(ROOT / 'tools/train.py'))
    assert args[:train] == [
        '-p',
        'gpu',
        '--job-name=my job',
        '--gres=gpu:4',
        '--ntasks=4',
        '--ntasks-per-node=4',
        '--cpus-per-task=3',
        '--kill-on-bad-exit=1',
        '--quotatype=auto',
        '--exclusive',
        sys.executable,
        '-u',
    ]
    expected = ['--work-dir', 'some dir'] if work_dir else []
    assert args[train + 1 :] == [
        'toy.py',
        *expected,
        '--amp',
        '--cfg-options',
        'model.name=a b',
        '--launcher',
        'slurm',
    ]
