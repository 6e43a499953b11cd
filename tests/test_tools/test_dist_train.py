"""tools/dist_train.sh, dist_test.sh and slurm_train.sh."""

import json
import os
import re
import shlex
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
def test_both_processes_refuse_the_folder_of_an_earlier_run(trained):
    folder, _ = trained
    written = (folder / 'work_dirs' / 'toy' / 'toy.py').stat().st_mtime_ns
    result = run_script('dist_train.sh', folder, 'toy.py', '2')
    assert result.returncode != 0
    assert re.fullmatch(
        r"train.py: error: './work_dirs/toy' has checkpoints of an earlier "
        r'run \(.*/epoch_2.pth\). Go on with that run: --resume; or .*',
        result.stderr.splitlines()[-1],
    )
    now = (folder / 'work_dirs' / 'toy' / 'toy.py').stat().st_mtime_ns
    assert now == written


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


@pytest.mark.parametrize(
    ('active', 'chosen'),
    [
        ({}, 'made'),
        (dict(CONDA_DEFAULT_ENV='base'), 'made'),
        (dict(CONDA_DEFAULT_ENV='mine'), 'active'),
        (dict(VIRTUAL_ENV='/mine'), 'active'),
        (dict(VIRTUAL_ENV='/mine', PYTHON='named'), 'named'),
    ],
)
def test_python_is_that_of_the_active_environment(tmp_path, active, chosen):
    made = tmp_path / '.venv' / 'bin' / 'python'
    made.parent.mkdir(parents=True)
    write_program(made, '#!/bin/sh\n')
    script = f'source {ROOT}/tools/find_python.sh; echo "$PYTHON"'
    done = subprocess.run(
        ['bash', '-c', script],
        env=dict(PATH=os.environ['PATH'], ROOT=str(tmp_path)) | active,
        capture_output=True,
        text=True,
    )
    found = dict(made=str(made), active='python', named='named')
    assert done.stdout.strip() == found[chosen]


ECHO = '#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n'


def run_slurm(
    folder: Path, *args: str, **env: str
) -> subprocess.CompletedProcess:
    """Run slurm_train.sh where Slurm's programs say what they were told."""
    for name in ('srun', 'sbatch', 'scontrol'):
        if not (folder / name).exists():
            write_program(folder / name, ECHO)
    path = f'{folder}{os.pathsep}{os.environ["PATH"]}'
    return run_script('slurm_train.sh', folder, *args, PATH=path, **env)


@pytest.mark.parametrize('work_dir', [['some dir'], []])
def test_slurm_arguments(work_dir, tmp_path):
    result = run_slurm(
        tmp_path,
        'gpu',
        'my job',
        'toy.py',
        *work_dir,
        '--amp',
        '--cfg-options',
        'model.name=a b',
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


def test_slurm_job_that_requeues_is_submitted(tmp_path):
    result = run_slurm(
        tmp_path,
        'gpu',
        'my job',
        'toy.py',
        'some dir',
        GPUS='16',
        REQUEUE='1',
        GRACE='300',
        SBATCH_ARGS='--time=8:00:00 --qos=low',
    )
    assert result.returncode == 0, result.stderr
    *args, wrapped = result.stdout.splitlines()
    assert args == [
        '-p',
        'gpu',
        '--job-name=my job',
        '--gres=gpu:8',
        '--ntasks=16',
        '--ntasks-per-node=8',
        '--cpus-per-task=5',
        '--requeue',
        '--open-mode=append',
        '--signal=USR1@300',
        '--time=8:00:00',
        '--qos=low',
    ]
    # What the job runs is the same script with the same words.
    command = wrapped.removeprefix('--wrap=exec ')
    assert shlex.split(command) == [
        str(ROOT / 'tools' / 'slurm_train.sh'),
        'gpu',
        'my job',
        'toy.py',
        'some dir',
    ]


@pytest.mark.parametrize(
    ('status', 'requeue', 'told'),
    [
        (138, '1', 'requeue 7'),
        (143, '1', 'requeue 7'),
        (0, '1', ''),
        (2, '1', ''),
        (138, '', ''),
    ],
)
def test_slurm_job_queues_again_if_it_was_told_to_end(
    tmp_path, status, requeue, told
):
    write_program(tmp_path / 'srun', f'#!/bin/sh\nexit {status}\n')
    write_program(tmp_path / 'scontrol', '#!/bin/sh\necho "$@" > told\n')
    result = run_slurm(
        tmp_path, 'gpu', 'job', 'toy.py', REQUEUE=requeue, SLURM_JOB_ID='7'
    )
    assert result.returncode == status
    file = tmp_path / 'told'
    assert (file.read_text().strip() if file.exists() else '') == told


def test_slurm_job_that_cannot_queue_again_says_so(tmp_path):
    write_program(tmp_path / 'srun', '#!/bin/sh\nexit 143\n')
    write_program(tmp_path / 'scontrol', '#!/bin/sh\nexit 1\n')
    result = run_slurm(
        tmp_path, 'gpu', 'job', 'toy.py', REQUEUE='1', SLURM_JOB_ID='7'
    )
    assert result.returncode == 143
    assert 'error: it could not be queued again' in result.stderr


@pytest.mark.parametrize(
    ('count', 'args', 'expected'),
    [
        ('0', [], []),
        ('2', [], ['--resume']),
        ('2', ['--resume', 'a.pth'], ['--resume', 'a.pth']),
    ],
)
def test_slurm_job_resumes_when_it_starts_again(
    tmp_path, count, args, expected
):
    result = run_slurm(
        tmp_path,
        'gpu',
        'job',
        'toy.py',
        *args,
        REQUEUE='1',
        SLURM_JOB_ID='7',
        SLURM_RESTART_COUNT=count,
    )
    told = result.stdout.splitlines()
    train = told.index(str(ROOT / 'tools/train.py'))
    assert told[train + 1 :] == ['toy.py', *expected, '--launcher', 'slurm']


@pytest.mark.parametrize(
    ('env', 'message'),
    [
        (dict(GPUS='two'), "whole numbers, got 'two' and '8'"),
        (dict(GPUS='12'), 'GPUS=12 is no multiple of GPUS_PER_NODE=8'),
    ],
)
def test_slurm_numbers(tmp_path, env, message):
    result = run_slurm(tmp_path, 'gpu', 'job', 'toy.py', **env)
    assert result.returncode == 2
    assert message in result.stderr


def test_slurm_usage(tmp_path):
    result = run_slurm(tmp_path, 'gpu', 'job')
    assert result.returncode == 2
    assert result.stderr.startswith('usage:')


def fake_python(folder: Path, gpus: int) -> str:
    """A Python that finds so many GPUs and says what it was told to run."""
    path = folder / 'python'
    counts = f'[ "$1" = -c ] && exec echo {gpus}\nfor'
    write_program(path, ECHO.replace('for', counts))
    return str(path)


def test_several_nodes(tmp_path):
    result = run_script(
        'dist_train.sh',
        tmp_path,
        'toy.py',
        '8',
        '--amp',
        PYTHON=fake_python(tmp_path, gpus=8),
        NNODES='4',
        NODE_RANK='3',
        MASTER_ADDR='10.0.0.1',
        PORT='29501',
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        '-m',
        'torch.distributed.run',
        '--nnodes=4',
        '--node_rank=3',
        '--master_addr=10.0.0.1',
        '--nproc_per_node=8',
        '--master_port=29501',
        str(ROOT / 'tools/train.py'),
        'toy.py',
        '--amp',
        '--launcher',
        'pytorch',
    ]


@pytest.mark.parametrize(
    ('env', 'message'),
    [
        (dict(NNODES='2', NODE_RANK='1'), 'NNODES=2 needs MASTER_ADDR'),
        (
            dict(NNODES='2', NODE_RANK='2', MASTER_ADDR='a'),
            'a number from 0 to NNODES - 1',
        ),
        (dict(NNODES='many'), "NNODES='many'"),
    ],
)
def test_numbers_of_nodes(tmp_path, env, message):
    python = fake_python(tmp_path, gpus=8)
    result = run_script(
        'dist_train.sh', tmp_path, 'toy.py', '8', PYTHON=python, **env
    )
    assert result.returncode == 2
    assert message in result.stderr


def documented(tool: str) -> list[str]:
    """Commands of docs/long_runs.md that call a script, one line each."""
    text = (ROOT / 'docs' / 'long_runs.md').read_text()
    return [
        line
        for block in re.findall(r'```bash\n(.*?)```', text, re.S)
        for line in block.replace('\\\n', ' ').splitlines()
        if tool in line
    ]


@pytest.mark.parametrize('line', documented('dist_train.sh'))
def test_documented_command_of_torchrun(tmp_path, line):
    python = fake_python(tmp_path, gpus=8)
    result = subprocess.run(
        ['bash', '-c', line],
        cwd=ROOT,
        env=os.environ | dict(PYTHON=python),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    told = result.stdout.splitlines()
    config = told[told.index(str(ROOT / 'tools/train.py')) + 1]
    assert (ROOT / config).is_file()


@pytest.mark.parametrize('line', documented('slurm_train.sh'))
def test_documented_command_of_slurm(tmp_path, line):
    for name in ('srun', 'sbatch'):
        write_program(tmp_path / name, ECHO)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    result = subprocess.run(
        ['bash', '-c', line],
        cwd=ROOT,
        env=os.environ | dict(PATH=path),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    (config,) = re.findall(r'configs/\S+\.py', result.stdout)
    assert (ROOT / config).is_file()
