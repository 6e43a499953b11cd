"""Montage: the described recipe, and that it trains."""

import json
import math
from pathlib import Path

import pytest
import torch
from mmdet.models import ResNet
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.datasets.scenes import SCENE_CLASSES, make_scenes
from mmselfemd.engine import launch
from mmselfemd.errors import UserError
from mmselfemd.registry import PARAM_SCHEDULERS
from mmselfemd.zoo import extract_backbone

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PUBLISHED = CONFIGS / 'montage' / 'montage_r50_coco_64k.py'
SMALL = CONFIGS / 'small' / 'montage_r18_voc256_20e.py'
DATASET = 'train_dataloader.dataset.dataset'

# Where it is in the config, the figure, and the section of the paper.
FIGURES = [
    (f'{DATASET}.context', 1.0, '3.1: to twice the width and height'),
    (f'{DATASET}.background', 0.1, '3.1: 10:1'),
    ('model.head.threshold', 0.7, '4.1'),
    ('default_hooks.label_weights.interval', 5000, '3.3, 4.1'),
    (f'{DATASET}.pipeline.2.scale_range', (0.8, 1.5), '4.1'),
    (f'{DATASET}.pipeline.3.prob', 0.5, '4.1'),
    ('train_dataloader.dataset.pipeline.0.size', 224, '3.2'),
    ('data_preprocessor.mean', [123.675, 116.28, 103.53], '4.1, x 255'),
    ('data_preprocessor.std', [58.395, 57.12, 57.375], '4.1, x 255'),
    ('optim_wrapper.optimizer.lr', 0.8, '4.1'),
    ('optim_wrapper.optimizer.weight_decay', 1e-4, '4.1'),
    ('auto_scale_lr.base_batch_size', 512, '4.1'),
    ('train_cfg.max_iters', 64000, '4.1'),
]


def look_up(node, path):
    for key in path.split('.'):
        node = node[int(key)] if key.isdigit() else node[key]
    return node


@pytest.mark.parametrize(('path', 'figure', 'section'), FIGURES)
def test_figure_is_the_described_one(path, figure, section):
    found = look_up(Config.fromfile(PUBLISHED), path)
    assert found == pytest.approx(figure), section


def test_batch_is_that_of_8_gpus():
    cfg = Config.fromfile(PUBLISHED)
    assert 8 * cfg.train_dataloader.batch_size == 512
    assert 'momentum_update' not in cfg.default_hooks
    assert cfg.get('val_dataloader') is None


def test_rate_warms_up_from_0_2_then_is_a_cosine():
    cfg = Config.fromfile(PUBLISHED)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=cfg.optim_wrapper.optimizer.lr)
    length = cfg.train_cfg.max_iters
    schedules = [
        PARAM_SCHEDULERS.build(
            dict(each, end=each.get('end', length)),
            default_args=dict(optimizer=optimizer),
        )
        for each in cfg.param_scheduler
    ]
    rates = []
    for _ in range(length):
        rates.append(optimizer.param_groups[0]['lr'])
        for each in schedules:
            each.step()
    assert rates[0] == pytest.approx(0.2)
    assert rates[625] == pytest.approx(0.5, abs=1e-3)
    assert rates[1250] == pytest.approx(0.8, rel=1e-3)
    middle = (1250 + length) // 2
    assert rates[middle] == pytest.approx(0.4, rel=1e-2)
    assert rates[-1] < 1e-5


def test_small_recipe_has_the_backbone_and_steps_of_the_others():
    small = Config.fromfile(SMALL)
    other = Config.fromfile(SMALL.with_name('selfemd_r18_voc256_20e.py'))
    backbone = {
        key: value
        for key, value in small.model.backbone.items()
        if key != 'norm_cfg'
    }
    assert backbone == {
        key: value
        for key, value in other.model.backbone.items()
        if key != 'norm_cfg'
    }
    assert small.train_dataloader.dataset.length == 3000
    for path in ('train_dataloader.batch_size', 'train_cfg.max_epochs'):
        assert look_up(small, path) == look_up(other, path)
    # The paper's rate at this batch, and measured as often in a run.
    assert small.optim_wrapper.optimizer.lr == 0.8 * 64 / 512
    runs = 20 * (3000 // 64) / small.default_hooks.label_weights.interval
    assert runs == pytest.approx(64000 / 5000, rel=0.05)
    detector = Config.fromfile(
        SMALL.with_name('faster-rcnn_r18_fpn_voc256.py')
    )
    assert small.model.head.num_classes == len(detector.metainfo.classes)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes') / 'set'
    return make_scenes(folder, num_train=12, num_val=1, size=(128, 96))


def options(scenes, **more):
    """A few steps of a narrow network on some scenes."""
    return {
        'train_dataloader.dataset.length': 16,
        f'{DATASET}.data_root': str(scenes),
        f'{DATASET}.ann_file': 'annotations/instances_train2017.json',
        f'{DATASET}.data_prefix.img': 'train2017/',
        'train_dataloader.batch_size': 8,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_cfg.max_epochs': 3,
        'model.backbone.stem_channels': 8,
        'model.backbone.base_channels': 8,
        'model.head.in_channels': 64,
        'model.head.num_classes': len(SCENE_CLASSES),
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 1,
        'default_hooks.label_weights.interval': 3,
        'default_hooks.label_weights.num_images': 1,
    } | more


@pytest.fixture(scope='module')
def trained(scenes, tmp_path_factory):
    """Folder and model of six steps; the field is measured twice."""
    folder = tmp_path_factory.mktemp('montage') / 'run'
    model = launch.train(
        str(SMALL), work_dir=str(folder), cfg_options=options(scenes)
    )
    return folder, model


def test_training_lowers_the_loss(trained):
    folder, model = trained
    (log,) = folder.glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    losses = [step['loss'] for step in steps]
    assert len(losses) == 6 and all(map(math.isfinite, losses))
    # It begins without knowledge, and learns at least what is common.
    chance = math.log(len(SCENE_CLASSES) + 1)
    assert losses[0] == pytest.approx(chance, rel=0.1)
    assert losses[-1] < losses[0] - 0.05
    weights = model.head.label_weights
    torch.testing.assert_close(weights.sum(0), torch.ones(7, 7))


def test_a_detector_takes_the_backbone(trained, tmp_path):
    folder, model = trained
    out = tmp_path / 'backbone.pth'
    extract_backbone(folder / 'epoch_3.pth', out)
    meta = CheckpointLoader.load_checkpoint(str(out), 'cpu')['meta']
    assert meta['pixel_convention']['channel_order'] == 'RGB'
    assert meta['strides'] == [1, 2, 2, 1]
    assert meta['pretraining']['config'] == 'montage_r18_voc256_20e'
    settings = meta['pretraining']['settings']
    assert settings['model.type'] == 'Montage'
    assert settings['default_hooks.label_weights.interval'] == 3
    detectors = ResNet(
        depth=18,
        stem_channels=8,
        base_channels=8,
        strides=(1, 2, 2, 1),
        init_cfg=dict(type='Pretrained', checkpoint=str(out)),
    )
    detectors.init_weights()
    wanted = model.backbone.state_dict()
    assert detectors.state_dict().keys() == wanted.keys()
    for name, value in detectors.state_dict().items():
        assert torch.equal(value, wanted[name])


def test_a_resumed_run_is_the_uninterrupted_one(scenes, trained, tmp_path):
    """In the middle of an interval, so that the weights are the file's."""
    folder, model = trained
    copied = tmp_path / 'epoch_2.pth'
    copied.write_bytes((folder / 'epoch_2.pth').read_bytes())
    found = launch.train(
        str(SMALL),
        work_dir=str(tmp_path),
        cfg_options=options(scenes),
        resume=str(copied),
    )
    wanted = model.state_dict()
    for name, value in found.state_dict().items():
        assert torch.equal(value, wanted[name]), name


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'model.head.num_classes': 80}, r'num_classes is 80, for \d+'),
        ({f'{DATASET}.data_prefix.img': 'val2017/'}, 'there is no such image'),
        ({f'{DATASET}.ann_file': 'other.json'}, 'no such file or folder'),
        ({'train_dataloader.batch_size': 64}, '16 images|fewer|batch'),
    ],
)
def test_what_does_not_fit_is_said_before_training(
    scenes, tmp_path, change, message
):
    with pytest.raises(UserError, match=message):
        launch.train(
            str(SMALL),
            work_dir=str(tmp_path / 'run'),
            cfg_options=options(scenes, **change),
        )


def test_real_photographs_make_montages(photos):
    cfg = Config.fromfile(PUBLISHED).train_dataloader.dataset
    cfg.dataset.update(
        data_root=str(photos / 'coco32'),
        ann_file='annotations/instances_train2017.json',
    )
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(cfg)
    assert len(dataset.metainfo['classes']) == 80
    item = dataset[0]
    assert item['inputs'].shape == (3, 224, 224)
    assert item['data_samples'].gt_label.shape == (4,)
