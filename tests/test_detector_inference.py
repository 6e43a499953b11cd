"""mmdet's DetInferencer on a detector whose images need settings."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmdet.apis import DetInferencer
from mmengine.config import Config
from PIL import Image
from random_detector import save_random_detector

import mmselfemd  # noqa: F401
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserValueError

BASE = Path(__file__).resolve().parents[1] / (
    'configs/demo/faster-rcnn_r18_fpn_scenes.py'
)
RANGE = (29000, 31000)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return save_random_detector(BASE, tmp_path_factory.mktemp('detector'))


@pytest.fixture
def inferencer_of(checkpoint, tmp_path):
    def build(settings, change=str):
        config = tmp_path / 'detector.py'
        config.write_text(f"_base_ = '{BASE}'\n{settings}\n")
        return DetInferencer(
            change(config), str(checkpoint), device='cpu', show_progress=False
        )

    return build


@pytest.fixture
def counts(tmp_path):
    """A thermal image, and the grey that its counts are to become."""
    counts = np.linspace(*RANGE, 96 * 128).reshape(96, 128)
    np.random.default_rng(0).shuffle(counts)
    grey = np.round((counts.round() - RANGE[0]) / 2000 * 255)
    deep, plain = str(tmp_path / 'deep.png'), str(tmp_path / 'plain.png')
    cv2.imwrite(deep, counts.round().astype(np.uint16))
    cv2.imwrite(plain, grey.astype(np.uint8))
    return deep, plain


def dumped(config):
    """As a run leaves its config beside its checkpoints."""
    path = config.with_name('dumped.py')
    load_config(str(config)).dump(path)
    return str(path)


@pytest.mark.parametrize(
    'change', [str, lambda config: load_config(str(config)), dumped]
)
def test_a_range_reaches_what_reads_its_files(inferencer_of, counts, change):
    inferencer = inferencer_of(f'value_range = {RANGE}', change)
    deep, plain = (inferencer.pipeline(path)['inputs'] for path in counts)
    assert np.ptp(plain.numpy()) > 200
    # Of halves, one may be rounded up and one down.
    assert (deep.int() - plain.int()).abs().max() <= 1


def test_the_config_may_be_in_the_checkpoint(checkpoint, counts, tmp_path):
    content = torch.load(checkpoint, weights_only=True)
    cfg = Config.fromfile(BASE)
    cfg.value_range = RANGE
    content['meta'] |= dict(cfg=cfg.pretty_text, value_range=list(RANGE))
    path = str(tmp_path / 'whole.pth')
    torch.save(content, path)
    inferencer = DetInferencer(weights=path, device='cpu')
    deep, plain = (inferencer.pipeline(path)['inputs'] for path in counts)
    assert (deep.int() - plain.int()).abs().max() <= 1
    # The same detector, by a config that does not say so.
    with pytest.raises(UserValueError, match=r'trained with value_range=\(29'):
        DetInferencer(str(BASE), path, device='cpu')


def test_bands_do_and_boxes_are_those_of_the_picked_colours(
    inferencer_of, tmp_path
):
    rgb = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    rgb[20:60, 30:90] = (250, 20, 90)
    straight, turned = tmp_path / 'a.png', tmp_path / 'b.png'
    Image.fromarray(rgb).save(straight)
    Image.fromarray(rgb[..., [1, 2, 0]]).save(turned)
    picked = inferencer_of('bands = (1, 2, 0)')([str(straight)])
    expected = inferencer_of('')([str(turned)])
    assert expected['predictions'][0]['bboxes']
    assert picked['predictions'] == expected['predictions']


def test_arrays_are_refused_where_a_setting_is(inferencer_of, counts):
    inferencer = inferencer_of(f'value_range = {RANGE}')
    array = cv2.imread(counts[0])  # nearly black
    for inputs in (array, dict(img=array)):
        with pytest.raises(UserValueError, match='path of the file'):
            inferencer(inputs)


def test_without_one_it_is_as_ever_but_for_kinds_that_mmcv_lacks(
    inferencer_of, tmp_path
):
    inferencer = inferencer_of('')
    bgr = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), bgr)
    of_array = inferencer.pipeline(bgr)['inputs']
    of_file = inferencer.pipeline(str(tmp_path / 'a.png'))['inputs']
    assert torch.equal(of_array, of_file)
    grey = Image.fromarray(bgr[..., 0])
    grey.save(tmp_path / 'grey.gif')
    grey.save(tmp_path / 'grey.png')
    of_gif, of_png = (
        inferencer.pipeline(str(tmp_path / name))['inputs']
        for name in ('grey.gif', 'grey.png')
    )
    assert torch.equal(of_gif, of_png)
