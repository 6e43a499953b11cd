"""tools/visualization/browse_views.py, as a user runs it."""

import os
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
from forked_scripts import run_script
from mmengine.config import Config
from PIL import Image

from mmselfemd.datasets.image_database import images_to_lmdb
from mmselfemd.datasets.scenes import SCENE_CLASSES, make_scenes
from mmselfemd.errors import UserError
from mmselfemd.visualization.browsing import browse_views

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *args: object) -> CompletedProcess:
    return run_script(
        ROOT / 'tools' / 'visualization' / 'browse_views.py',
        *args,
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
    )


def test_images_and_views_are_drawn(tmp_path, image_folder):
    config = ROOT / 'configs' / 'demo' / 'selfemd_r18_scenes.py'
    done = run(
        tmp_path,
        *(config, '--num', 3, '--html', '--cfg-options'),
        f'train_dataloader.dataset.data_root={image_folder}',
        'train_dataloader.dataset.data_prefix=',
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / 'work_dirs' / config.stem / 'views'
    pictures = sorted(out.glob('*.png'))
    assert len(pictures) == 3
    for path in pictures:
        with Image.open(path) as image:
            assert image.width > 600
        assert path.name in done.stdout
        assert path.name in (out / 'index.html').read_text()


def test_images_of_a_database_are_drawn(tmp_path, image_folder):
    images_to_lmdb([str(image_folder)], tmp_path / 'db')
    config = tmp_path / 'database.py'
    config.write_text(f"""
_base_ = {str(ROOT / 'configs/demo/selfemd_r18_scenes.py')!r}
backend_args = dict(backend='lmdb', db_path={str(tmp_path / 'db')!r})
load = dict(type='LoadImage', lazy=True, backend_args=backend_args)
train_dataloader = dict(
    dataset=dict(
        data_root='',
        data_prefix='',
        ann_file={str(tmp_path / 'db' / 'images.txt')!r},
        pipeline=[load, *_base_.train_pipeline[1:]],
    )
)
""")
    done = run(tmp_path, config, '--num', 2, '--out', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / 'out').glob('*.png'))) == 2


def test_a_detectors_config_is_refused_in_one_line(tmp_path):
    name = 'detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'
    done = run(tmp_path, ROOT / 'configs' / name)
    assert done.returncode == 2
    assert 'browse_dataset.py' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not list(tmp_path.iterdir())


def test_montages_are_drawn_with_the_weights_of_their_labels(tmp_path):
    make_scenes(tmp_path / 'scenes', num_train=4, num_val=1)
    config = ROOT / 'configs' / 'small' / 'montage_r18_voc256_20e.py'
    dataset = 'train_dataloader.dataset.dataset'
    done = run(
        tmp_path,
        *(config, '--num', 2, '--html', '--out', tmp_path / 'out'),
        '--cfg-options',
        f'{dataset}.data_root={tmp_path / "scenes"}',
        f'{dataset}.ann_file=annotations/instances_train2017.json',
        f'{dataset}.data_prefix.img=train2017/',
        f'model.head.num_classes={len(SCENE_CLASSES)}',
    )
    assert done.returncode == 0, done.stderr
    pictures = sorted((tmp_path / 'out').glob('*.png'))
    assert [path.name for path in pictures] == [
        '001_montage.png',
        '002_montage.png',
    ]
    page = (tmp_path / 'out' / 'index.html').read_text()
    assert 'an untrained network' in page


def test_a_checkpoint_without_label_weights_is_refused(tmp_path):
    """Its maps would all be zero, under its name."""
    make_scenes(tmp_path / 'scenes', num_train=4, num_val=1)
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'backbone.x': torch.zeros(1)}), other)
    cfg = Config.fromfile(ROOT / 'configs/small/montage_r18_voc256_20e.py')
    cfg.train_dataloader.dataset.dataset.update(
        data_root=str(tmp_path / 'scenes'),
        ann_file='annotations/instances_train2017.json',
        data_prefix=dict(img='train2017/'),
    )
    cfg.model.head.num_classes = len(SCENE_CLASSES)
    cfg.load_from = str(other)
    with pytest.raises(UserError, match='other.pth'):
        browse_views(cfg, str(tmp_path / 'out'), num=1)
