"""The published recipe, number by number (Sec. 4.1)."""

import math
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmselfemd.registry import MODELS, TRANSFORMS

sys.path.insert(0, str(Path(__file__).parent))
from schedules import rates

PATH = (
    Path(__file__)
    .resolve()
    .parents[2]
    .joinpath('configs/selfemd/selfemd_r50_coco_800e.py')
)


@pytest.fixture
def cfg():
    return Config.fromfile(PATH)


def test_optimisation(cfg):
    assert cfg.optim_wrapper.optimizer == dict(
        type='SGD', lr=0.2, momentum=0.9, weight_decay=1e-4
    )
    assert cfg.train_cfg.max_epochs == 800
    assert 8 * cfg.train_dataloader.batch_size == 256
    assert cfg.auto_scale_lr.base_batch_size == 256
    assert cfg.train_dataloader.dataset.data_prefix == 'train2017/'


def test_learning_rate_warms_up_over_4_epochs_then_is_a_cosine(cfg):
    epoch = 7  # iterations of an epoch
    found = list(rates(cfg, epoch))
    warm, total = 4 * epoch, 800 * epoch
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert found[1] - found[0] == pytest.approx(found[9] - found[8])
    assert found[warm] == pytest.approx(0.2) == max(found)
    for k in range(warm, total, 97):
        expected = 0.1 * (1 + math.cos(math.pi * (k - warm) / (total - warm)))
        assert found[k] == pytest.approx(expected, abs=1e-6)
    assert found[-1] < 1e-6


def test_network(cfg, our_scope):
    model = MODELS.build(cfg.model)
    assert model.backbone.depth == 50
    neck, head = model.neck, model.head
    assert [
        tuple(p.out.weight.shape[:2])
        for p in (
            neck[0].dense_projector,
            neck[0].vector_projector,
            head.dense_predictor,
            head.vector_predictor,
        )
    ] == [(256, 4096)] * 4
    assert neck[0].dense_projector.hidden.in_channels == 2048
    assert head.dense_predictor.hidden.in_channels == 256
    kinds = {
        type(module).__name__
        for module in model.modules()
        if 'Norm' in type(module).__name__
    }
    assert kinds == {'SyncBatchNorm'}
    with torch.no_grad():
        assert neck[1].pyramid(torch.zeros(1, 2, 7, 7)).shape[1] == 83
        assert neck[1].pyramid(torch.zeros(1, 2, 4, 4)).shape[1] == 20
    assert (head.marginals, head.byol_weight) == ('vector', 1.0)
    assert head.transport_cfg == dict(
        gamma=0.05,
        max_iters=100,
        gradient='envelope',
        marginal_gradient=False,
    )


def test_views_are_byols_and_a_small_one(cfg, our_scope, image_folder):
    cut = cfg.train_pipeline[1]
    assert [view.size for view in cut['views']] == [224, 224, 112]
    (first,), (second,), (small,) = (view.photometric for view in cut['views'])
    assert second == small
    assert (first.blur_prob, first.solarise_prob) == (1.0, 0.0)
    assert (second.blur_prob, second.solarise_prob) == (0.1, 0.2)
    for view in (first, second):
        assert (
            view.brightness,
            view.contrast,
            view.saturation,
            view.hue,
            view.jitter_prob,
            view.grey_prob,
            view.blur_sigma,
        ) == (0.4, 0.4, 0.2, 0.1, 0.8, 0.2, (0.1, 2.0))
    assert (cut.scale, cut.flip_prob) == ((0.08, 1.0), 0.5)

    pipeline = [TRANSFORMS.build(step) for step in cfg.train_pipeline]
    results = dict(img_path=str(image_folder / '0.jpg'))
    for step in pipeline:
        results = step(results)
    shapes = [tuple(view.shape) for view in results['inputs']]
    assert shapes == [(3, 224, 224), (3, 224, 224), (3, 112, 112)]
    assert all(view.dtype == torch.uint8 for view in results['inputs'])
    assert len(results['data_samples'].views) == 3
    assert results['data_samples'].img_path.endswith('0.jpg')


def test_ours_survive_a_child_that_sets_custom_hooks(tmp_path):
    child = tmp_path / 'child.py'
    child.write_text(
        f"_base_ = ['{PATH}']\ncustom_hooks = [dict(type='EMAHook')]\n"
    )
    hooks = Config.fromfile(child).default_hooks
    assert hooks.momentum_update == dict(
        type='MomentumUpdateHook', base_momentum=0.99, end_momentum=1.0
    )
    assert hooks.checkpoint.type == 'SafeCheckpointHook'
