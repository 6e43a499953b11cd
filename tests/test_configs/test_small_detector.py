"""The small detectors are laid out as their pre-training was."""

from itertools import accumulate
from operator import mul
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope

import mmselfemd  # noqa: F401
from mmselfemd.zoo.conventions import warn_of_other_strides

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SMALL = (
    'small/selfemd_r18_voc256_20e.py',
    'small/faster-rcnn_r18_fpn_voc256.py',
)
DEMO = ('demo/selfemd_r18_scenes.py', 'demo/faster-rcnn_r18_fpn_scenes.py')


def detector_of(path):
    cfg = Config.fromfile(CONFIGS / path)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return revert_sync_batchnorm(MODELS.build(cfg.model)).eval()


@pytest.mark.parametrize(('pretraining', 'detector'), [SMALL, DEMO])
def test_strides_are_those_of_the_pretraining(pretraining, detector, logged):
    cfg = Config.fromfile(CONFIGS / pretraining)
    backbone = detector_of(detector).backbone
    logged.clear()
    checkpoint = dict(meta=dict(cfg=cfg.pretty_text))
    warn_of_other_strides(checkpoint, [backbone], 'backbone.pth')
    assert logged == []


def test_anchors_and_regions_lie_on_maps_of_the_pretrainings_strides():
    backbone = Config.fromfile(CONFIGS / SMALL[0]).model.backbone
    strides = [4 * total for total in accumulate(backbone.strides, mul)]
    strides.append(2 * strides[-1])  # P6
    model = detector_of(SMALL[1])
    with torch.no_grad():
        levels = model.extract_feat(torch.zeros(1, 3, 256, 192))
    for level, stride in zip(levels, strides, strict=True):
        assert level.shape[-2:] == (256 // stride, 192 // stride)
    generator = model.rpn_head.prior_generator
    assert generator.strides == [(stride, stride) for stride in strides]
    extractor = model.roi_head.bbox_roi_extractor
    assert extractor.featmap_strides == strides[:-1]
    # Squares of 16 to 256 pixels, twice as large from level to level.
    square = generator.ratios.tolist().index(1.0)
    sides = [
        (anchors[square, 2] - anchors[square, 0]).item()
        for anchors in generator.base_anchors
    ]
    assert sides == [16, 32, 64, 128, 256]


def test_photographs_of_any_size_are_trained_on_as_they_are_tested():
    cfg = Config.fromfile(CONFIGS / 'small/faster-rcnn_r18_fpn_256.py')
    train, test = (
        [step for step in loader.dataset.pipeline if step.type == 'Resize']
        for loader in (cfg.train_dataloader, cfg.test_dataloader)
    )
    assert len(train) == 1
    assert train == test
