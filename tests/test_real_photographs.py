"""The documented commands on real photographs, as a user runs them."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]
PRETRAINING = 'configs/selfemd/selfemd_r50_coco_800e.py'
DETECTION = 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def run(
    *command: str, work_dir: Path, options: dict[str, object], threads: int = 2
) -> str:
    result = subprocess.run(
        [
            *command,
            '--work-dir',
            str(work_dir),
            '--cfg-options',
            *(f'{name}={value}' for name, value in options.items()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ
        | dict(
            PYTHON=sys.executable,
            PORT=str(free_port()),
            OMP_NUM_THREADS=str(threads),
        ),
    )
    assert result.returncode == 0, (
        result.stdout[-3000:] + result.stderr[-3000:]
    )
    return result.stdout + result.stderr


def scalars(work_dir: Path, name: str) -> list[float]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def pretraining_options(
    photos: Path, batch_size: int, num_images: int
) -> dict[str, object]:
    """Paths and batch size, and where to stop and how often to log."""
    return {
        'train_dataloader.dataset.data_root': photos / 'coco343',
        'train_dataloader.batch_size': batch_size,
        'train_dataloader.dataset.indices': num_images,
        'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1,
        'log_processor.window_size': 1,
    }


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory, photos) -> Path:
    """12 iterations of the published config on photographs, on a CPU."""
    work_dir = tmp_path_factory.mktemp('pretrain')
    run(
        sys.executable,
        'tools/train.py',
        PRETRAINING,
        work_dir=work_dir,
        options=pretraining_options(photos, 4, 12 * 4),
    )
    return work_dir


def test_published_config_learns(pretrained):
    losses = scalars(pretrained, 'loss')
    assert len(losses) == 12 and np.isfinite(losses).all()
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    assert np.mean(scalars(pretrained, 'converged_fraction')) > 0.95


@pytest.mark.skipif(torch.cuda.is_available(), reason='this host has a GPU')
def test_published_config_on_two_processes(tmp_path, photos):
    output = run(
        'tools/dist_train.sh',
        PRETRAINING,
        '2',
        work_dir=tmp_path,
        options=pretraining_options(photos, 2, 8 * 4),
        threads=1,
    )
    losses = scalars(tmp_path, 'loss')
    assert len(losses) == 8 and np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert re.search(r'\d+ SyncBN layers become BN', output)


def test_detector_trains_from_it_and_is_evaluated(
    pretrained, tmp_path, photos
):
    checkpoint = (pretrained / 'last_checkpoint').read_text()
    backbone = tmp_path / 'backbone.pth'
    subprocess.run(
        [
            sys.executable,
            'tools/model_converters/extract_backbone.py',
            checkpoint,
            str(backbone),
        ],
        cwd=ROOT,
        check=True,
    )
    coco = photos / 'coco32'
    output = run(
        sys.executable,
        'tools/train.py',
        DETECTION,
        work_dir=tmp_path / 'detector',
        options={
            'pretrained': backbone,
            'train_dataloader.dataset.data_root': f'{coco}/',
            'val_dataloader.dataset.data_root': f'{coco}/',
            'test_dataloader.dataset.data_root': f'{coco}/',
            'val_evaluator.ann_file': coco
            / 'annotations/instances_val2017.json',
            'test_evaluator.ann_file': coco
            / 'annotations/instances_val2017.json',
            'train_dataloader.dataset.pipeline.2.scales': '"[(320,256)]"',
            'val_dataloader.dataset.pipeline.1.scale': '"(320,256)"',
            # Four steps make no box that scores more than the usual 0.05.
            'model.test_cfg.rcnn.score_thr': 0.0,
            'train_cfg.max_iters': 4,
            'train_cfg.val_interval': 4,
            'default_hooks.precise_bn.num_images': 8,
            'default_hooks.logger.interval': 1,
        },
    )
    assert np.isfinite(scalars(tmp_path / 'detector', 'loss')).all()
    assert len(scalars(tmp_path / 'detector', 'coco/bbox_mAP_50')) == 1
    assert '0 missing, 0 unexpected' in output
