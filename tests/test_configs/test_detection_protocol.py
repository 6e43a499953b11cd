"""Effective settings of every detection config, beside the protocol.

The numbers of parameters and norms are derived here from the architectures,
as Detectron2 builds them; docs/protocol.md lists the differences.
"""

import functools
import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

import mmselfemd  # noqa: F401
from mmselfemd.registry import MODELS as OUR_MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PLAIN = 'coco/faster-rcnn_r50_fpn_syncbn_90k_coco'
VOC = 'voc0712/faster-rcnn_r50_fpn_syncbn_24k_voc0712'
MASK = 'coco/mask-rcnn_r50_fpn_syncbn_90k_coco'
C4 = 'coco/mask-rcnn_r50_c4_syncbn_90k_coco'
RETINA = 'coco/retinanet_r50_fpn_syncbn_90k_coco'
R101 = 'coco/faster-rcnn_r101_fpn_syncbn_90k_coco'
MOBILE = 'coco/faster-rcnn_mobilenet-v2_fpn_syncbn_90k_coco'

# ---- What Detectron2 would build: (parameters, norms).


def conv(inputs, outputs, size=1, bias=False):
    return inputs * outputs * size**2 + (outputs if bias else 0)


def normed(inputs, outputs, size=1):
    """A convolution without bias and its norm's scale and shift."""
    return conv(inputs, outputs, size) + 2 * outputs


def linear(inputs, outputs):
    return inputs * outputs + outputs


def res_stage(index, blocks):
    width = 64 * 2**index
    inputs = 64 if index == 0 else width * 2
    total = normed(inputs, 4 * width)  # the downsampling of the shortcut
    for _ in range(blocks):
        total += normed(inputs, width) + normed(width, width, 3)
        total += normed(width, 4 * width)
        inputs = 4 * width
    return total, 3 * blocks + 1


def resnet(blocks):
    parts = [res_stage(index, count) for index, count in enumerate(blocks)]
    return (
        normed(3, 64, 7) + sum(size for size, _ in parts),
        1 + sum(norms for _, norms in parts),
    )


def mobilenet():
    total, norms, inputs = normed(3, 32, 3), 1, 32
    for expand, outputs, count in (
        (1, 16, 1),
        (6, 24, 2),
        (6, 32, 3),
        (6, 64, 4),
        (6, 96, 3),
        (6, 160, 3),
        (6, 320, 1),
    ):
        for _ in range(count):
            width = inputs * expand
            if expand > 1:
                total, norms = total + normed(inputs, width), norms + 1
            total += normed(1, width, 3)  # depthwise
            total, norms = total + normed(width, outputs), norms + 2
            inputs = outputs
    return total + normed(320, 1280), norms + 1


def fpn(channels):
    total = sum(normed(c, 256) + normed(256, 256, 3) for c in channels)
    return total, 2 * len(channels)


def rpn(channels, anchors):
    total = conv(channels, channels, 3, bias=True)
    return total + conv(channels, 5 * anchors, bias=True), 0


def box_head(classes, convolutions):
    region = 256 * 7 * 7
    total = linear(region, 1024)
    if convolutions:
        total += convolutions * normed(256, 256, 3)
    else:
        total += linear(1024, 1024)
    total += linear(1024, classes + 1) + linear(1024, 4 * classes)
    return total, convolutions


def mask_head(convolutions, channels, with_norm=False):
    layer = normed(256, 256, 3) if with_norm else conv(256, 256, 3, True)
    total = convolutions * layer + conv(channels, 256, 2, bias=True)
    total += conv(256, 80, bias=True)
    return total, convolutions if with_norm else 0


def retina_fpn():
    total, norms = fpn((512, 1024, 2048))
    total += conv(2048, 256, 3, bias=True) + conv(256, 256, 3, bias=True)
    return total, norms


def retina_head(levels):
    """``levels`` sets of statistics, one scale and shift: of Detectron2."""
    total = 8 * conv(256, 256, 3, bias=True)
    total += conv(256, 9 * 80, 3, bias=True) + conv(256, 9 * 4, 3, bias=True)
    return total + (8 * 2 * 256 if levels else 0), 8 * levels


def add(*parts):
    return tuple(sum(values) for values in zip(*parts, strict=True))


R50_BLOCKS, R101_BLOCKS = (3, 4, 6, 3), (3, 4, 23, 3)
WIDE = (256, 512, 1024, 2048)


def two_stage(backbone, channels=WIDE, classes=80, convolutions=4):
    return dict(
        backbone=backbone,
        neck=fpn(channels),
        rpn_head=rpn(256, 3),
        roi_head=box_head(classes, convolutions),
    )


def mask_fpn(convolutions, with_norm):
    parts = two_stage(resnet(R50_BLOCKS), convolutions=convolutions)
    parts['roi_head'] = add(parts['roi_head'], mask_head(4, 256, with_norm))
    return parts


def mask_c4(blocks=R50_BLOCKS):
    classes = linear(2048, 81) + linear(2048, 320)
    return dict(
        backbone=resnet(blocks[:3]),
        rpn_head=rpn(1024, 15),
        roi_head=add(
            res_stage(3, blocks[3]),
            (2 * 2048, 1),  # the norm behind the last stage
            (classes, 0),
            mask_head(0, 2048),
        ),
    )


def retina(levels):
    return dict(
        backbone=resnet(R50_BLOCKS),
        neck=retina_fpn(),
        bbox_head=retina_head(levels),
    )


DETECTRON2 = {
    PLAIN: two_stage(resnet(R50_BLOCKS)),
    f'{PLAIN}_2fc': two_stage(resnet(R50_BLOCKS), convolutions=0),
    f'{PLAIN}_few-labels': two_stage(resnet(R50_BLOCKS)),
    R101: two_stage(resnet(R101_BLOCKS)),
    MOBILE: two_stage(mobilenet(), (24, 32, 96, 1280)),
    MASK: mask_fpn(0, with_norm=False),
    f'{MASK}_4conv1fc': mask_fpn(4, with_norm=True),
    C4: mask_c4(),
    RETINA: retina(0),
    f'{RETINA}_sepbn': retina(5),
    VOC: two_stage(resnet(R50_BLOCKS), classes=20),
    f'{VOC}_2fc': two_stage(resnet(R50_BLOCKS), classes=20, convolutions=0),
}
# What docs/protocol.md leaves open: ours less Detectron2's.
P6_P7 = (2 * (2 * 256 - 256), 2)  # normed here, with bias there
LEFT_OPEN = {
    (RETINA, 'neck'): P6_P7,
    (f'{RETINA}_sepbn', 'neck'): P6_P7,
    # A scale and shift for each level, and no bias beside them.
    (f'{RETINA}_sepbn', 'bbox_head'): (8 * (4 * 2 * 256 - 256), 0),
}

# ---- The settings of the protocol.

COMMON = {
    'iterations': 90000,
    'batch': 16,
    'lr': 0.02,
    'warm-up': '1000 from 0.001',
    'steps': [60000, 80000],
    'decay': 1e-4,
    'norm decay': 0,
    'momentum': 0.9,
    'clipping': None,
    'sides': list(range(640, 801, 32)),
    'long': 1333,
    'flip': 0.5,
    'test': (1333, 800),
    'norm kinds': {'SyncBatchNorm'},
    'frozen': 0,
    'in eval': 0,
    'precise BN': 3200,
    'pixels': 'RGB',
    'head': 'Shared4Conv1FCBBoxHead',
    'pretrained': 'mmselfemd://selfemd_r50_coco_800e',
}
VOC_SETTINGS = {
    'iterations': 24000,
    'warm-up': '100 from 0.001',
    'steps': [18000, 22000],
    'sides': list(range(480, 801, 32)),
}
TWO_FC = {'head': 'Shared2FCBBoxHead'}
PROTOCOL = {
    name: COMMON | change
    for name, change in {
        PLAIN: {},
        f'{PLAIN}_2fc': TWO_FC,
        f'{PLAIN}_few-labels': {},
        R101: {'pretrained': 'mmselfemd://selfemd_r101_coco_800e'},
        MOBILE: {'pretrained': 'mmselfemd://selfemd_mobilenet-v2_coco_800e'},
        MASK: TWO_FC,
        f'{MASK}_4conv1fc': {},
        C4: {'head': 'BBoxHead'},
        RETINA: {'head': 'RetinaHead', 'lr': 0.01},
        f'{RETINA}_sepbn': {'head': 'RetinaSepBNHead', 'lr': 0.01},
        VOC: VOC_SETTINGS,
        f'{VOC}_2fc': VOC_SETTINGS | TWO_FC,
    }.items()
}


@functools.cache
def load(name):
    return Config.fromfile(CONFIGS / 'detection' / f'{name}.py')


@functools.cache
def build(name):
    """The detector without values, in train mode."""
    with (
        DefaultScope.overwrite_default_scope('mmdet'),
        torch.device('meta'),
    ):
        return OUR_MODELS.parent.build(load(name).model).train()


def norms_of(module):
    return [
        m
        for m in module.modules()
        if isinstance(m, nn.modules.batchnorm._NormBase)
    ]


def effective(name):
    """The settings as they take effect: from what is built, where it can."""
    cfg, model = load(name), build(name)
    with DefaultScope.overwrite_default_scope('mmdet'):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    normed = {p for m in norms_of(model) for p in m.parameters()}
    groups = wrapper.optimizer.param_groups
    decay = {p: g['weight_decay'] for g in groups for p in g['params']}
    assert decay.keys() == set(model.parameters())
    (warm_up, steps) = cfg.param_scheduler
    train = cfg.train_dataloader.dataset
    for _ in range(2):
        train = train.get('datasets', [train])[0]
    resize, flip = train.pipeline[2], train.pipeline[3]
    preprocessor = model.data_preprocessor
    assert preprocessor.mean.shape == (3, 1, 1)
    pixels = cfg.model.data_preprocessor
    is_rgb = pixels.bgr_to_rgb and (pixels.mean, pixels.std) == (
        [123.675, 116.28, 103.53],
        [58.395, 57.12, 57.375],
    )
    head = model.bbox_head if hasattr(model, 'bbox_head') else None
    head = head or model.roi_head.bbox_head
    (lr,) = {group['lr'] for group in groups}
    (momentum,) = {group['momentum'] for group in groups}
    (decayed,) = {decay[p] for p in decay if p not in normed}
    (norm_decay,) = {decay[p] for p in normed}
    (long_side,) = {scale[0] for scale in resize.scales}
    return {
        'iterations': cfg.train_cfg.max_iters,
        'batch': 8 * cfg.train_dataloader.batch_size,
        'lr': lr,
        'warm-up': f'{warm_up.end} from {warm_up.start_factor}',
        'steps': steps.milestones,
        'decay': decayed,
        'norm decay': norm_decay,
        'momentum': momentum,
        'clipping': wrapper.clip_grad_kwargs or None,
        'sides': [scale[1] for scale in resize.scales],
        'long': long_side,
        'flip': flip.prob,
        'test': tuple(cfg.test_dataloader.dataset.pipeline[1].scale),
        'norm kinds': {type(m).__name__ for m in norms_of(model)},
        'frozen': sum(not p.requires_grad for p in model.parameters()),
        'in eval': sum(not m.training for m in model.modules()),
        'precise BN': cfg.default_hooks.precise_bn.num_images,
        'pixels': 'RGB' if is_rgb else dict(pixels),
        'head': type(head).__name__,
        'pretrained': cfg.pretrained,
    }


def counts(name):
    return {
        part: (
            sum(p.numel() for p in module.parameters() if p.requires_grad),
            len(norms_of(module)),
        )
        for part, module in build(name).named_children()
        if any(True for _ in module.parameters())
    }


def test_every_config_is_in_the_protocol():
    found = {
        str(path.relative_to(CONFIGS / 'detection').with_suffix(''))
        for folder in ('coco', 'voc0712')
        for path in (CONFIGS / 'detection' / folder).glob('*.py')
    }
    assert found == PROTOCOL.keys() == DETECTRON2.keys()


def test_effective_settings_are_the_protocols():
    rows = {name: effective(name) for name in PROTOCOL}
    for setting in COMMON:
        print(f'\n{setting}')
        for name, row in rows.items():
            print(f'    {name:58}{row[setting]}')
    print('\ntrained parameters / norms')
    for name in rows:
        print(f'    {name:58}{counts(name)}')
    assert rows == PROTOCOL


@pytest.mark.parametrize('name', PROTOCOL)
def test_parameters_and_norms_are_those_of_detectron2(name):
    expected = {
        part: add(numbers, LEFT_OPEN.get((name, part), (0, 0)))
        for part, numbers in DETECTRON2[name].items()
    }
    assert counts(name) == expected


def test_arithmetic_gives_the_known_sizes():
    """The published ones, without their classifiers."""
    assert resnet(R50_BLOCKS)[0] == 25557032 - linear(2048, 1000)
    assert resnet(R101_BLOCKS)[0] == 44549160 - linear(2048, 1000)
    assert mobilenet()[0] == 3504872 - linear(1280, 1000)


# ---- Differences of mmdet that docs/protocol.md calls closed.


def test_samples_matching_and_proposals_are_detectron2s():
    for name in PROTOCOL:
        cfg = load(name).model
        if name.startswith(RETINA):
            assert cfg.neck.relu_before_extra_convs
            continue
        train, test = cfg.train_cfg, cfg.test_cfg
        assert train.rpn.allowed_border == -1
        assert not train.rcnn.assigner.match_low_quality
        assert (train.rpn.sampler.num, train.rcnn.sampler.num) == (256, 512)
        before_nms = 12000 if name == C4 else 2000
        after_nms = 2000 if name == C4 else 1000
        assert train.rpn_proposal.nms_pre == before_nms
        assert train.rpn_proposal.max_per_img == after_nms
        assert test.rpn.nms_pre == (6000 if name == C4 else 1000)
        assert test.rpn.max_per_img == 1000
        assert test.rcnn.score_thr == 0.05
        assert test.rcnn.nms.iou_threshold == 0.5
        assert test.rcnn.max_per_img == 100
        divisor = cfg.data_preprocessor.pad_size_divisor
        assert divisor == (1 if name == C4 else 32)
        if name.split('/')[1].startswith('mask'):
            (load_boxes,) = (
                step
                for step in load(name).train_pipeline
                if step.type == 'LoadAnnotations'
            )
            assert load_boxes.poly2mask is False


def test_anchors_are_detectron2s():
    sizes = [32, 64, 128, 256, 512]
    expected = {
        PLAIN: [[size] for size in sizes],
        C4: [sizes],
        RETINA: [[s * 2 ** (k / 3) for k in range(3)] for s in sizes],
    }
    for name, levels in expected.items():
        model = load(name).model
        cfg = model.get('rpn_head', model.get('bbox_head')).anchor_generator
        with DefaultScope.overwrite_default_scope('mmdet'):
            from mmdet.registry import TASK_UTILS

            generator = TASK_UTILS.build(cfg)
        for anchors, wanted in zip(
            generator.base_anchors, levels, strict=True
        ):
            sides = anchors[:, 2:] - anchors[:, :2]
            found = sorted(sides.prod(1).sqrt().tolist())
            assert found == pytest.approx(sorted(3 * wanted), rel=1e-4)
            assert anchors[:, :2].add(anchors[:, 2:]).abs().max() < 1e-3


def test_initial_values_are_detectron2s():
    cfg = load(PLAIN).model
    with DefaultScope.overwrite_default_scope('mmdet'):
        neck = OUR_MODELS.parent.build(cfg.neck)
        head = OUR_MODELS.parent.build(cfg.roi_head.bbox_head)
        rpn_head = OUR_MODELS.parent.build(
            cfg.rpn_head
            | dict(train_cfg=cfg.train_cfg.rpn, test_cfg=cfg.test_cfg.rpn)
        )
    for module in (neck, head, rpn_head):
        module.init_weights()
        module.requires_grad_(False)
    # Uniform by the fan-in: variance 1 / fan-in, bound sqrt(3 / fan-in).
    for weight, fan_in in (
        (head.shared_fcs[0].weight, 256 * 49),
        (neck.lateral_convs[3].conv.weight, 2048),
        (neck.fpn_convs[0].conv.weight, 256 * 9),
    ):
        bound = math.sqrt(3 / fan_in)
        assert 0.99 * bound < weight.abs().max() <= bound
        assert weight.std() == pytest.approx(fan_in**-0.5, rel=0.02)
    # Normal.
    for weight, std in (
        (head.fc_cls.weight, 0.01),
        (head.fc_reg.weight, 0.001),
        (head.shared_convs[0].conv.weight, math.sqrt(2 / (256 * 9))),
        (rpn_head.rpn_conv.weight, 0.01),
        (rpn_head.rpn_reg.weight, 0.01),
    ):
        assert weight.std() == pytest.approx(std, rel=0.05)
        assert weight.abs().max() > 2.5 * std


# ---- MobileNetV2 and mmdet's stock protocol.


def test_mobilenets_file_fits_and_all_of_it_is_trained():
    pretraining = Config.fromfile(
        CONFIGS / 'selfemd' / 'selfemd_mobilenet-v2_coco_800e.py'
    )
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        first = OUR_MODELS.build(pretraining.model.backbone)
        second = OUR_MODELS.build(load(MOBILE).model.backbone)
    shapes = [
        {key: value.shape for key, value in module.state_dict().items()}
        for module in (first, second)
    ]
    assert shapes[0] == shapes[1]
    maps = second(torch.randn(2, 3, 64, 64))
    assert [(m.shape[1], 64 // m.shape[2]) for m in maps] == [
        (24, 4),
        (32, 8),
        (96, 16),
        (1280, 32),
    ]
    # The FPN reads them all: a process group meets no unused parameter.
    sum(m.square().mean() for m in maps).backward()
    assert all(p.grad is not None for p in second.parameters())


@pytest.mark.parametrize(
    ('name', 'lr', 'frozen_norms'),
    [
        ('faster-rcnn_r50_fpn_1x_coco', 0.02, False),
        ('mask-rcnn_r50_fpn_1x_coco', 0.02, False),
        ('retinanet_r50_fpn_1x_coco', 0.01, False),
        ('mask-rcnn_r50-c4_1x_coco', 0.02, True),
    ],
)
def test_stock_is_mmdets_but_for_what_our_weights_need(name, lr, frozen_norms):
    cfg, model = load(f'stock/{name}'), build(f'stock/{name}')
    assert cfg.train_cfg.max_epochs == 12
    assert cfg.optim_wrapper.optimizer.lr == lr
    assert 'paramwise_cfg' not in cfg.optim_wrapper
    assert 'precise_bn' not in cfg.default_hooks
    for place in ('mean', 'std', 'bgr_to_rgb'):
        assert (
            cfg.model.data_preprocessor[place]
            == load(PLAIN).model.data_preprocessor[place]
        )
    backbone = model.backbone
    assert not any(m.training for m in norms_of(backbone))
    assert not any(p.requires_grad for p in backbone.layer1.parameters())
    stages = [backbone.layer2]
    if 'c4' in name:
        stages.append(model.roi_head.shared_head.layer4)
    for stage in stages:
        assert stage[0].conv1.stride == (1, 1)
        assert stage[0].conv1.weight.requires_grad
        assert stage[0].bn1.weight.requires_grad is not frozen_norms
