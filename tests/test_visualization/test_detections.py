"""Pictures of what a detector finds, through tools/visualization/detect.py."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from forked_scripts import run_script
from mmengine.config import Config
from PIL import Image
from random_detector import save_random_detector

import mmselfemd  # noqa: F401
from mmselfemd.errors import UserError
from mmselfemd.visualization.detections import draw_detections

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'configs/demo/faster-rcnn_r18_fpn_scenes.py'


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_random_detector(CONFIG, tmp_path_factory.mktemp('detector'))


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert('RGB'))


def test_boxes_are_drawn_on_the_image(checkpoint, image_folder, tmp_path):
    (tmp_path / 'again').mkdir()
    (tmp_path / 'again/0.jpg').write_bytes(
        (image_folder / '0.jpg').read_bytes()
    )
    (tmp_path / 'broken.jpg').write_bytes(b'no image')
    done = run_script(
        ROOT / 'tools/visualization/detect.py',
        *(image_folder / '0.jpg', tmp_path / 'again'),
        tmp_path / 'broken.jpg',
        *('--config', str(CONFIG), '--checkpoint', str(checkpoint)),
        *('--out', str(tmp_path / 'out'), '--score-thr', '0'),
        env=os.environ | dict(OMP_NUM_THREADS='1'),
    )
    assert done.returncode == 0, done.stderr
    first, second = sorted((tmp_path / 'out').glob('*.png'))
    assert {first.name, second.name} == {'0.png', '0_2.png'}
    assert 'Skipped' in done.stdout + done.stderr
    assert 'broken.jpg' in done.stdout + done.stderr
    assert 'highest score' not in done.stdout + done.stderr
    image = pixels(image_folder / '0.jpg')
    for path in (first, second):
        drawn = pixels(path)
        assert drawn.shape == image.shape
        changed = (drawn != image).any(axis=2)
        assert 0.001 < changed.mean()


def test_without_a_box_the_image_stays(
    checkpoint, image_folder, tmp_path, capsys
):
    (picture,) = draw_detections(
        Config.fromfile(CONFIG),
        str(checkpoint),
        [str(image_folder / '1.jpg')],
        str(tmp_path),
        score_threshold=1.0,
    )
    image = pixels(image_folder / '1.jpg').astype(int)
    assert np.abs(pixels(picture) - image).mean() < 1
    said = capsys.readouterr()
    (highest,) = re.findall(r'highest score is ([\d.]+)', said.out + said.err)
    assert 0 < float(highest) < 1


def test_a_photograph_is_never_overwritten(checkpoint, image_folder, tmp_path):
    photograph = tmp_path / 'photos' / '0.png'
    photograph.parent.mkdir()
    with Image.open(image_folder / '0.jpg') as image:
        image.save(photograph)
    before = photograph.read_bytes()
    (tmp_path / 'same').symlink_to('photos')
    with pytest.raises(UserError, match='--out .*0.png'):
        draw_detections(
            Config.fromfile(CONFIG),
            str(checkpoint),
            [str(photograph)],
            str(tmp_path / 'same'),
        )
    assert photograph.read_bytes() == before


def test_what_cannot_work_is_said(checkpoint, image_folder, tmp_path):
    cfg = Config.fromfile(CONFIG)
    with pytest.raises(UserError, match='--score-thr'):
        draw_detections(cfg, str(checkpoint), ['a.jpg'], 'out', 2.0)
    with pytest.raises(UserError, match='no image could be read'):
        draw_detections(
            cfg, str(checkpoint), [str(tmp_path / 'none.jpg')], 'out'
        )
    other = Config.fromfile(CONFIG)
    other.model.roi_head.bbox_head.num_classes = 3
    with pytest.raises(UserError, match='fc_cls'):
        draw_detections(
            other, str(checkpoint), [str(image_folder / '0.jpg')], 'out'
        )
    pretraining = ROOT / 'configs/demo/selfemd_r18_scenes.py'
    with pytest.raises(UserError, match='not the config of a detector'):
        draw_detections(Config.fromfile(pretraining), 'a.pth', [], 'out')
