"""The shipped schedules: the published curves, over whatever length."""

import sys
from pathlib import Path

import pytest
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).parent))
from schedules import rates

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
# The epochs, and the warm-up of each.
PRETRAINING = {
    'selfemd/selfemd_r50_coco_800e': (800, 4),
    'selfemd/selfemd_r50_in1k_300e': (300, 4),
    'byol/byol_r50_coco_800e': (800, 4),
    'byol/byol_r50_in1k_300e': (300, 4),
    'mocov2/mocov2_r50_coco_800e': (800, 0),
    'mocov2/mocov2_r50_in1k_200e': (200, 0),
    'simclr/simclr_r50_coco_800e': (800, 10),
    'simclr/simclr_r50_in1k_200e': (200, 10),
    'demo/selfemd_r18_scenes': (6, 1),
    'small/selfemd_r18_voc256_20e': (20, 1),
    'small/selfemd_r18-w16_scenes_6e': (6, 1),
    'small/byol_r18_voc256_20e': (20, 1),
    'small/montage_r18_voc256_20e': (20, 1),
}


def load(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


@pytest.mark.parametrize('name', PRETRAINING)
def test_curve_is_the_one_with_its_length_written_out(name):
    epochs, warm_up = PRETRAINING[name]
    cfg, written_out = load(name), load(name)
    assert cfg.train_cfg.max_epochs == epochs
    written_out.param_scheduler[-1].update(end=epochs, T_max=epochs - warm_up)
    assert list(rates(cfg, 3)) == list(rates(written_out, 3))


@pytest.mark.parametrize('name', PRETRAINING)
@pytest.mark.parametrize('factor', [0.5, 2])
def test_curve_is_as_long_as_the_run(name, factor):
    """``train_cfg.max_epochs`` alone: the cosine ends with the last epoch."""
    epochs, warm_up = PRETRAINING[name]
    cfg = load(name)
    peak = cfg.optim_wrapper.optimizer.lr
    cfg.train_cfg.max_epochs = int(factor * epochs)
    found = list(rates(cfg, 12))
    middle = int(12 * (factor * epochs + warm_up) / 2)
    assert found[middle] == pytest.approx(peak / 2, rel=1e-3)
    assert found[-1] < 0.02 * peak or cfg.train_cfg.max_epochs < 4
    assert found[-1] == min(found[12 * warm_up :])
