"""--resume goes on as if nothing had been, by our own tools.

Real networks and pipelines; tests/test_engine/test_reproducible_loops.py has
the kills, on toys.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmselfemd.datasets.scenes import make_scenes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp('scenes') / 'set', 16, 4)


def train(config, work_dir, *args, options, processes=1):
    tool = [sys.executable, str(ROOT / 'tools' / 'train.py')]
    config = str(ROOT / 'configs' / 'demo' / config)
    env = dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1')
    command = [*tool, config]
    if processes > 1:
        script = str(ROOT / 'tools' / 'dist_train.sh')
        command = [script, config, str(processes)]
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = str(free.getsockname()[1])
        env.update(PYTHON=sys.executable, PORT=port)
    settings = [f'{name}={value}' for name, value in options.items()]
    result = subprocess.run(
        [
            *command,
            *('--work-dir', str(work_dir), *args),
            *('--cfg-options', *settings),
        ],
        capture_output=True,
        text=True,
        env=os.environ | env,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def read_log(work_dir):
    """Scalars of each logged training step, by run in order of time."""
    runs = []
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        lines = map(json.loads, path.read_text().splitlines())
        runs.append({line['step']: line for line in lines if 'lr' in line})
    return runs


def only_at(work_dir, other, name):
    """A second work directory, as if the run had been killed at `name`."""
    other.mkdir()
    shutil.copy(work_dir / name, other)
    (other / 'last_checkpoint').write_text(str(other / name))
    return other


def check_goes_on(config, folder, step, last, options, processes=1):
    """A run from end to end, and one that goes on from its middle."""
    runs = folder / 'straight', folder / 'killed'
    train(config, runs[0], options=options, processes=processes)
    only_at(*runs, f'iter_{step}.pth')
    train(config, runs[1], '--resume', options=options, processes=processes)
    (straight,), (resumed,) = map(read_log, runs)
    assert sorted(straight) == list(range(1, last + 1))
    assert sorted(resumed) == list(range(step + 1, last + 1))
    for number, logged in resumed.items():
        for clock in ('time', 'data_time'):
            del logged[clock], straight[number][clock]
        assert logged == straight[number]
    weights = [
        torch.load(run / f'iter_{last}.pth')['state_dict'] for run in runs
    ]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def check_pretraining(folder, scenes, processes):
    """An epoch of four steps; on from its middle."""
    options = {
        'train_cfg.type': 'ReproducibleEpochBasedTrainLoop',
        'train_cfg.max_epochs': 1,
        'train_dataloader.dataset.data_root': f'{scenes}/',
        'train_dataloader.batch_size': 4 // processes,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'default_hooks.checkpoint.by_epoch': False,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': 3,
        'default_hooks.logger.interval': 1,
        'log_processor.window_size': 1,
    }
    check_goes_on('selfemd_r18_scenes.py', folder, 2, 4, options, processes)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_pretraining_resumes_inside_an_epoch(tmp_path, scenes):
    check_pretraining(tmp_path, scenes, processes=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(torch.cuda.is_available(), reason='this host has a GPU')
def test_pretraining_resumes_in_two_processes(tmp_path, scenes):
    check_pretraining(tmp_path, scenes, processes=2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_detection_resumes(tmp_path, scenes):
    annotations = f'{scenes}/annotations/instances_val2017.json'
    options = {
        'pretrained': None,
        'train_cfg.type': 'mmselfemd.ReproducibleIterBasedTrainLoop',
        'train_dataloader.dataset.data_root': f'{scenes}/',
        'val_dataloader.dataset.data_root': f'{scenes}/',
        'test_dataloader.dataset.data_root': f'{scenes}/',
        'val_evaluator.ann_file': annotations,
        'test_evaluator.ann_file': annotations,
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'val_dataloader.num_workers': 0,
        'val_dataloader.persistent_workers': False,
        'train_cfg.max_iters': 6,
        'train_cfg.val_interval': 6,
        'default_hooks.checkpoint.interval': 3,
        'default_hooks.checkpoint.max_keep_ckpts': 2,
        'default_hooks.logger.interval': 1,
        'default_hooks.precise_bn.num_images': 4,
        'log_processor.window_size': 1,
    }
    check_goes_on('faster-rcnn_r18_fpn_scenes.py', tmp_path, 3, 6, options)
