"""--resume goes on, in pre-training and in detection, by our own tools."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmselfemd.datasets.scenes import make_scenes

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return make_scenes(tmp_path_factory.mktemp('scenes') / 'set', 16, 4)


def train(config, work_dir, *args, options):
    settings = [f'{name}={value}' for name, value in options.items()]
    result = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'tools' / 'train.py'),
            str(ROOT / 'configs' / 'demo' / config),
            *('--work-dir', str(work_dir), *args),
            *('--cfg-options', *settings),
        ],
        capture_output=True,
        text=True,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
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


def assert_goes_on(straight, resumed, steps, names):
    assert sorted(resumed) == steps
    for step in steps:
        for name in names:
            assert resumed[step][name] == pytest.approx(straight[step][name])
        # The views are drawn anew, so the losses are alike and not equal.
        assert resumed[step]['loss'] == pytest.approx(
            straight[step]['loss'], rel=0.3
        )


def train_twice(config, folder, checkpoint, options):
    """A run from end to end, and one that goes on from its middle."""
    train(config, folder / 'straight', options=options)
    killed = only_at(folder / 'straight', folder / 'killed', checkpoint)
    train(config, killed, '--resume', options=options)
    (straight,), (resumed,) = map(read_log, (folder / 'straight', killed))
    return straight, resumed


def test_pretraining_resumes(tmp_path, scenes):
    options = {
        'train_dataloader.dataset.data_root': f'{scenes}/',
        'train_dataloader.batch_size': 8,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_cfg.max_epochs': 4,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': 2,
        'log_processor.window_size': 1,
    }
    straight, resumed = train_twice(
        'selfemd_r18_scenes.py', tmp_path, 'epoch_2.pth', options
    )
    assert sorted(straight) == list(range(1, 9))
    assert_goes_on(straight, resumed, [5, 6, 7, 8], ['lr', 'key_momentum'])
    # It went on from what was learnt: a fresh start is far above.
    assert resumed[5]['loss'] < 0.8 * straight[1]['loss']


def test_detection_resumes(tmp_path, scenes):
    annotations = f'{scenes}/annotations/instances_val2017.json'
    options = {
        'pretrained': None,
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
    straight, resumed = train_twice(
        'faster-rcnn_r18_fpn_scenes.py', tmp_path, 'iter_3.pth', options
    )
    assert_goes_on(straight, resumed, [4, 5, 6], ['lr'])
