"""A schedule over another length keeps its shape."""

from pathlib import Path

import pytest
from mmengine.config import Config

import mmselfemd  # noqa: F401
from mmselfemd.errors import UserError
from mmselfemd.settings.run_length import set_iterations

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'


def test_steps_and_warm_up_of_a_detector_stay_where_they_were():
    cfg = Config.fromfile(CONFIGS / 'small/faster-rcnn_r18_fpn_voc256.py')
    assert set_iterations(cfg, 300, 100) == 300
    assert cfg.train_cfg.max_iters == 300
    warm_up, steps = cfg.param_scheduler
    assert warm_up.end == 10  # 100 of 3000
    assert steps.end == 300
    assert steps.milestones == [200, 270]


@pytest.mark.parametrize('iterations', [1, 2, 3])
def test_a_few_iterations_are_a_schedule_too(iterations):
    cfg = Config.fromfile(CONFIGS / 'small/faster-rcnn_r18_fpn_voc256.py')
    set_iterations(cfg, iterations, 100)
    warm_up, steps = cfg.param_scheduler
    assert warm_up.begin < warm_up.end <= iterations
    assert steps.begin < steps.end == iterations
    assert all(0 < step < iterations for step in steps.milestones)


def test_pre_training_takes_whole_epochs():
    cfg = Config.fromfile(CONFIGS / 'selfemd/selfemd_r50_coco_800e.py')
    # 343 images are 10 batches of 32.
    assert set_iterations(cfg, 2004, 343) == 2000
    assert cfg.train_cfg.max_epochs == 200
    warm_up, cosine = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 1)  # 4 of 800
    assert cosine.begin == 1
    assert 'end' not in cosine  # it ends with the run


def test_accumulated_batches_make_steps():
    cfg = Config.fromfile(CONFIGS / 'selfemd/selfemd_r50_coco_800e_1gpu.py')
    assert set_iterations(cfg, 16, 32 * 17) == 16
    with pytest.raises(UserError, match='100 images do not fill'):
        set_iterations(cfg, 16, 100)


def warm_up_and_cosine(**cosine):
    warm_up = dict(type='LinearLR', start_factor=0.1, begin=0, end=10)
    cosine = dict(type='CosineAnnealingLR', begin=10, **cosine)
    return Config(
        dict(
            train_cfg=dict(max_epochs=200),
            train_dataloader=dict(batch_size=10),
            optim_wrapper=dict(),
            param_scheduler=[warm_up, cosine],
        )
    )


@pytest.mark.parametrize('epochs', [2, 7, 33, 200, 1001])
@pytest.mark.parametrize('end', [dict(end=200), {}])
def test_a_cosine_reaches_its_end_with_the_run(epochs, end):
    cfg = warm_up_and_cosine(T_max=190, **end)
    set_iterations(cfg, epochs, 10)
    warm_up, cosine = cfg.param_scheduler
    assert warm_up.end == cosine.begin < epochs
    assert cosine.begin + cosine.T_max == cosine.get('end', epochs) == epochs


def test_of_a_single_epoch_only_the_warm_up_is_left():
    """mmengine refuses a schedule that begins where it ends."""
    cfg = warm_up_and_cosine(T_max=190, end=200)
    set_iterations(cfg, 1, 10)
    (warm_up,) = cfg.param_scheduler
    assert (warm_up.type, warm_up.end) == ('LinearLR', 1)


def test_a_cosine_of_another_length_than_its_own_keeps_its_share():
    cfg = warm_up_and_cosine(T_max=400, end=200)  # it ends half-way
    set_iterations(cfg, 100, 10)
    cosine = cfg.param_scheduler[1]
    assert (cosine.begin, cosine.end, cosine.T_max) == (5, 100, 200)
