"""A schedule over another length keeps its shape."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

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
    (steps,) = cfg.param_scheduler  # a warm-up of 1 step would never end
    assert steps.begin < steps.end == iterations
    assert all(0 < step < iterations for step in steps.milestones)


@pytest.mark.parametrize('iterations', [20, 44, 45, 300])
def test_the_rate_rises_to_its_own(iterations):
    cfg = Config.fromfile(CONFIGS / 'small/faster-rcnn_r18_fpn_voc256.py')
    set_iterations(cfg, iterations, 100)
    assert max(rates(cfg, iterations)) == pytest.approx(1)


@pytest.mark.parametrize('epochs', [3, 20, 40])
def test_the_rate_rises_where_an_epoch_is_one_step(epochs):
    cfg = Config.fromfile(CONFIGS / 'small/selfemd_r18_voc256_20e.py')
    assert set_iterations(cfg, epochs, 64) == epochs
    found = rates(cfg, epochs, epoch_length=1)
    assert max(found) == pytest.approx(1, abs=0.15)
    assert found[-1] < 0.5


def rates(cfg, iterations, epoch_length=1):
    """The rate of each step, by mmengine's schedules."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    wrapper = OptimWrapper(optimizer)
    runner = SimpleNamespace(optim_wrapper=wrapper)
    schedules = []
    for each in cfg.param_scheduler:
        each = dict(each)
        each.setdefault('end', cfg.train_cfg.get('max_epochs', iterations))
        schedules.append(
            PARAM_SCHEDULERS.build(
                each,
                default_args=dict(optimizer=wrapper, epoch_length=epoch_length)
                if each.get('convert_to_iter_based')
                else dict(optimizer=wrapper),
            )
        )
    found = []
    for _ in range(iterations):
        found.append(runner.optim_wrapper.get_lr()['lr'][0])
        optimizer.step()
        for each in schedules:
            each.step()
    return found


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
    *warm_up, cosine = cfg.param_scheduler
    assert len(warm_up) == (epochs > 30)  # 10 of 200: one step of fewer
    assert cosine.begin == (warm_up[0].end if warm_up else 0) < epochs
    assert cosine.begin + cosine.T_max == cosine.get('end', epochs) == epochs


def test_of_a_single_epoch_only_the_cosine_is_left():
    """A warm-up of one step would keep its first rate."""
    cfg = warm_up_and_cosine(T_max=190, end=200)
    set_iterations(cfg, 1, 10)
    (cosine,) = cfg.param_scheduler
    assert (cosine.begin, cosine.end, cosine.T_max) == (0, 1, 1)


def test_no_schedule_begins_where_it_ends():
    """mmengine refuses it."""
    cfg = warm_up_and_cosine(T_max=190, end=200)
    cfg.param_scheduler[0].convert_to_iter_based = True
    set_iterations(cfg, 10, 100)  # one epoch of ten steps, all of warm-up
    (warm_up,) = cfg.param_scheduler
    assert (warm_up.begin, warm_up.end) == (0, 1)


def test_a_cosine_of_another_length_than_its_own_keeps_its_share():
    cfg = warm_up_and_cosine(T_max=400, end=200)  # it ends half-way
    set_iterations(cfg, 100, 10)
    cosine = cfg.param_scheduler[1]
    assert (cosine.begin, cosine.end, cosine.T_max) == (5, 100, 200)
