"""The protocol that the detection configs follow, as it takes effect."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import (
    MODELS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
    init_default_scope,
)
from torch import nn
from torch.nn import SyncBatchNorm

from mmselfemd.engine import FiniteOptimWrapper, launch
from mmselfemd.results import read_run
from mmselfemd.results.comparison import differences

NAME = 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'


@pytest.fixture(scope='module')
def cfg(root):
    return Config.fromfile(root / NAME)


@pytest.fixture(scope='module')
def model(cfg):
    init_default_scope('mmdet')
    return MODELS.build(cfg.model)


def test_every_parameter_is_trained(model):
    assert all(p.requires_grad for p in model.parameters())
    model.train()
    assert all(m.training for m in model.modules())


def test_norms(model):
    norms = {
        name: m
        for name, m in model.named_modules()
        if isinstance(m, nn.modules.batchnorm._NormBase)
    }
    assert all(isinstance(m, SyncBatchNorm) for m in norms.values())
    count = {
        part: sum(name.startswith(part) for name in norms)
        for part in ('backbone', 'neck', 'rpn_head', 'roi_head')
    }
    # ResNet-50: stem, 16 blocks of 3, 4 downsamplings. FPN: 4 + 4.
    assert count == dict(backbone=53, neck=8, rpn_head=0, roi_head=4)
    # No bias beside a norm.
    convs = [
        m
        for part in (
            model.backbone,
            model.neck,
            model.roi_head.bbox_head.shared_convs,
        )
        for m in part.modules()
        if isinstance(m, nn.Conv2d)
    ]
    assert len(convs) == 53 + 8 + 4
    assert all(conv.bias is None for conv in convs)


def test_backbone(model):
    block = model.backbone.layer2[0]
    assert block.conv1.stride == (1, 1) and block.conv2.stride == (2, 2)
    # `pretrained` alone says where the weights come from.
    assert not any(
        isinstance(init, dict) and init['type'] == 'Pretrained'
        for init in model.backbone.init_cfg or []
    )


def test_box_head(model):
    head = model.roi_head.bbox_head
    assert len(head.shared_convs) == 4 and len(head.shared_fcs) == 1
    assert head.shared_convs[0].conv.out_channels == 256
    assert head.num_classes == 80


def test_input_is_rgb_with_mean_and_std(model):
    bgr = torch.zeros(3, 32, 32, dtype=torch.uint8)
    bgr[2] = 255  # red
    red = model.data_preprocessor(dict(inputs=[bgr]))['inputs'][0, :, 0, 0]
    mean = torch.tensor([123.675, 116.28, 103.53])
    std = torch.tensor([58.395, 57.12, 57.375])
    expected = (torch.tensor([255.0, 0, 0]) - mean) / std
    torch.testing.assert_close(red, expected)


def test_learning_rate(cfg):
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.02)
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(scheduler), default_args=dict(optimizer=optimizer)
        )
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(90000):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    iteration = np.arange(90000)
    # Detectron2: WarmupMultiStepLR with WARMUP_FACTOR 1/1000.
    alpha = np.minimum(iteration / 1000, 1)
    warmup = 0.001 * (1 - alpha) + alpha
    expected = (
        0.02
        * warmup
        * 0.1 ** ((iteration >= 60000).astype(int) + (iteration >= 80000))
    )
    # mmengine reaches the top one iteration earlier.
    np.testing.assert_allclose(rates, expected, rtol=2e-3)


def test_optimiser(cfg, model):
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper) is FiniteOptimWrapper
    assert type(wrapper.optimizer) is torch.optim.SGD
    assert wrapper.clip_grad_kwargs is None
    norms = {
        parameter
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase)
        for parameter in module.parameters()
    }
    seen = set()
    for group in wrapper.optimizer.param_groups:
        assert (group['lr'], group['momentum']) == (0.02, 0.9)
        assert not group['nesterov'] and not group['dampening']
        for parameter in group['params']:
            # Detectron2's WEIGHT_DECAY and WEIGHT_DECAY_NORM.
            expected = 0 if parameter in norms else 1e-4
            assert group['weight_decay'] == expected
            seen.add(parameter)
    assert seen == set(model.parameters())
    assert cfg.train_dataloader.batch_size * 8 == 16
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=16)


def test_sizes_and_flips(cfg, tmp_path):
    init_default_scope('mmdet')
    path = str(tmp_path / 'image.png')
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = 255
    cv2.imwrite(path, image)
    pipeline = [
        TRANSFORMS.build(step)
        for step in cfg.train_dataloader.dataset.pipeline
    ]

    def run(steps, **info):
        for step in steps:
            info = step(info)
        return info['inputs']

    instance = dict(bbox=[1, 1, 9, 9], bbox_label=0, ignore_flag=0)
    views = [
        run(pipeline, img_path=path, instances=[instance], img_id=1)
        for _ in range(60)
    ]
    assert {min(view.shape[1:]) for view in views} == set(range(640, 801, 32))
    flipped = sum(bool(view[0, 0, 0] == 0) for view in views)
    assert 15 < flipped < 45
    test = [
        TRANSFORMS.build(step) for step in cfg.test_dataloader.dataset.pipeline
    ]
    view = run(test, img_path=path, instances=[instance], img_id=1)
    assert view.shape == (3, 800, 1067)
    wide = str(tmp_path / 'wide.png')
    cv2.imwrite(wide, np.zeros((20, 80, 3), np.uint8))
    view = run(pipeline, img_path=wide, instances=[instance], img_id=1)
    assert view.shape == (3, 333, 1333)


def test_data_are_coco_in_its_usual_place(cfg):
    for split in ('train', 'val'):
        dataset = cfg[f'{split}_dataloader'].dataset
        assert dataset.data_root == 'data/coco/'
        assert dataset.ann_file == (f'annotations/instances_{split}2017.json')
        assert dataset.data_prefix.img == f'{split}2017/'


def test_hooks_survive_a_child_that_sets_custom_hooks(root, tmp_path):
    child = tmp_path / 'child.py'
    child.write_text(
        f'_base_ = {str(root / NAME)!r}\n'
        "custom_hooks = [dict(type='NumClassCheckHook')]\n"
        "pretrained = 'other.pth'\n"
    )
    cfg = Config.fromfile(child)
    assert cfg.pretrained == 'other.pth'
    types = {name: hook.type for name, hook in cfg.default_hooks.items()}
    assert types['checkpoint'] == 'mmselfemd.SafeCheckpointHook'
    assert types['pretrained_backbone'] == 'mmselfemd.PretrainedBackboneHook'
    assert types['precise_bn'] == 'mmselfemd.PreciseBNHook'
    assert not cfg.log_processor.by_epoch
    # Validation, and so precise BN, falls on the saved iterations.
    assert cfg.default_hooks.checkpoint.interval == cfg.train_cfg.val_interval


def small(folder):
    """Settings for a run in seconds, all by --cfg-options."""
    loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
    options = {
        f'{loader}.{name}': value
        for loader in loaders
        for name, value in [
            ('dataset.data_root', str(folder)),
            ('num_workers', 0),
            ('persistent_workers', False),
        ]
    }
    annotations = str(folder / 'annotations/instances_val2017.json')
    return options | {
        'pretrained': None,
        'val_evaluator.ann_file': annotations,
        'test_evaluator.ann_file': annotations,
        'train_dataloader.dataset.pipeline.2.scales': [(96, 64), (96, 80)],
        'val_dataloader.dataset.pipeline.1.scale': (96, 64),
        'test_dataloader.dataset.pipeline.1.scale': (96, 64),
        'model.backbone.depth': 18,
        'model.neck.in_channels': [64, 128, 256, 512],
        'model.train_cfg.rpn_proposal.max_per_img': 50,
        'model.test_cfg.rpn.max_per_img': 20,
        'model.test_cfg.rcnn.score_thr': 0.0,
        'train_cfg.max_iters': 3,
        'default_hooks.precise_bn.num_images': 4,
    }


def test_trains_saves_evaluates_and_draws(root, coco, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = str(root / NAME)
    trained = launch.train(config, work_dir='run', cfg_options=small(coco))
    metrics = launch.test(
        config,
        'run/iter_3.pth',
        work_dir='test',
        out='test/boxes.pkl',
        show_dir='shown',
        cfg_options=small(coco),
    )
    assert 0 <= metrics['coco/bbox_mAP_50'] <= 1
    assert len(list((tmp_path / 'shown').glob('*.jpg'))) == 6
    assert (tmp_path / 'test/boxes.pkl').exists()
    # What was evaluated during training is what was saved.
    log = next((tmp_path / 'run').glob('*/vis_data/scalars.json'))
    last = json.loads(log.read_text().splitlines()[-1])
    assert last['coco/bbox_mAP'] == pytest.approx(
        metrics['coco/bbox_mAP'], abs=1e-6
    )
    # And what results_table.py reads of it.
    run = read_run('run')
    assert (run.pretraining, run.iterations, run.max_iters) == ('random', 3, 3)
    (record,) = run.records
    assert record['images'] == dict(train=6, val=6)
    reasons = differences(run)
    assert 'train: 6 images (published: 117266)' in reasons
    assert 'default_hooks.precise_bn.num_images=4 (published: 3200)' in reasons
    assert run.figures['AP50'] == pytest.approx(
        100 * metrics['coco/bbox_mAP_50'], abs=1e-3
    )
    means = trained.roi_head.bbox_head.shared_convs[0].bn.running_mean
    assert torch.isfinite(means).all() and means.abs().sum() > 0
