"""MoCo v2 and SimCLR: the published recipes, and that they train."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from torch.nn.modules.batchnorm import _BatchNorm

from mmselfemd.engine import launch
from mmselfemd.registry import MODELS
from mmselfemd.zoo import extract_backbone

sys.path.insert(0, str(Path(__file__).parent))
from schedules import rates

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
EPOCHS = {'coco_800e': 800, 'in1k_200e': 200}
PLACES = {
    'coco_800e': 'data/coco/train2017/',
    'in1k_200e': 'data/imagenet/train/',
}

# The figure, where it is in the config, and where it is from: `moco`,
# facebookresearch/moco, main_moco.py (defaults, and what its README sets for
# v2: --mlp --moco-t 0.2 --aug-plus --cos); `simclr`, google-research/simclr,
# the README's command for ImageNet, model_util.py and data_util.py.
MOCOV2 = [
    ('model.queue_len', 65536, 'moco: --moco-k'),
    ('model.feat_dim', 128, 'moco: --moco-dim'),
    ('model.momentum', 1 - 0.999, 'moco: --moco-m, as 1 - m'),
    ('model.head.temperature', 0.2, 'moco, README: --moco-t'),
    ('model.neck.hid_channels', 2048, 'moco, builder.py: --mlp'),
    ('model.backbone.norm_cfg.type', 'BN', 'moco: torchvision ResNet-50'),
    ('optim_wrapper.optimizer.type', 'SGD', 'moco'),
    ('optim_wrapper.optimizer.lr', 0.03, 'moco: --lr'),
    ('optim_wrapper.optimizer.momentum', 0.9, 'moco: --momentum'),
    ('optim_wrapper.optimizer.weight_decay', 1e-4, 'moco: --wd'),
    ('auto_scale_lr.base_batch_size', 256, 'moco: --batch-size'),
    ('train_pipeline.1.scale', (0.2, 1.0), 'moco: RandomResizedCrop'),
    ('train_pipeline.1.flip_prob', 0.5, 'moco: RandomHorizontalFlip'),
]
SIMCLR = [
    ('model.head.temperature', 0.1, 'simclr: --temperature'),
    ('model.neck.hid_channels', 2048, 'simclr: mid_dim = hiddens.shape[-1]'),
    ('model.neck.out_channels', 128, 'simclr, paper: Sec. 2.3'),
    ('model.neck.num_layers', 2, 'simclr, paper: Sec. 2.3'),
    ('model.backbone.norm_cfg.type', 'SyncBN', 'simclr, paper: global BN'),
    ('model.backbone.zero_init_residual', True, 'simclr, resnet.py'),
    ('optim_wrapper.optimizer.type', 'mmpretrain.LARS', 'simclr'),
    (
        'optim_wrapper.optimizer.lr',
        0.3 * 4096 / 256,
        'simclr: --learning_rate=0.3, scaled by batch / 256',
    ),
    ('optim_wrapper.optimizer.momentum', 0.9, 'simclr: run.py'),
    ('optim_wrapper.optimizer.weight_decay', 1e-6, 'simclr: --weight_decay'),
    ('auto_scale_lr.base_batch_size', 4096, 'simclr: --train_batch_size'),
    ('train_pipeline.1.scale', (0.08, 1.0), 'simclr: area_range'),
    ('train_pipeline.1.flip_prob', 0.5, 'simclr: random_flip_left_right'),
]
RECIPES = [
    (family, *row)
    for family, rows in (('mocov2', MOCOV2), ('simclr', SIMCLR))
    for row in rows
]
# Brightness, contrast, saturation, hue; both methods: p 0.8, grey 0.2, blur
# of sigma 0.1 to 2.0 p 0.5 (moco: aug_plus; simclr: strength 1.0).
JITTER = {'mocov2': (0.4, 0.4, 0.4, 0.1), 'simclr': (0.8, 0.8, 0.8, 0.2)}
GPUS = {'mocov2': 8, 'simclr': 16}

SMALL = {
    'model.backbone.depth': 18,
    'model.backbone.stem_channels': 8,
    'model.backbone.base_channels': 8,
    'model.neck.in_channels': 64,
    'model.neck.hid_channels': 16,
}
SMALL_QUEUE = {'model.queue_len': 16}


def load(family, data='coco_800e'):
    return Config.fromfile(CONFIGS / family / f'{family}_r50_{data}.py')


def look_up(node, path):
    for key in path.split('.'):
        node = node[int(key)] if key.isdigit() else node[key]
    return node


def build_small(family):
    cfg = load(family)
    cfg.merge_from_dict(SMALL | (SMALL_QUEUE if family == 'mocov2' else {}))
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        model = MODELS.build(
            cfg.model | dict(data_preprocessor=cfg.data_preprocessor)
        )
    model.init_weights()
    return model, cfg


def two_views(batch_size=4):
    return [torch.randn(batch_size, 3, 64, 64) for _ in range(2)]


@pytest.mark.parametrize(('family', 'path', 'figure', 'source'), RECIPES)
def test_figure_is_the_published_one(family, path, figure, source):
    expected = pytest.approx(figure) if isinstance(figure, float) else figure
    assert look_up(load(family), path) == expected, source


@pytest.mark.parametrize('family', JITTER)
def test_both_views_are_augmented_as_published(family):
    cfg = load(family)
    pipeline = cfg.train_dataloader.dataset.pipeline
    assert pipeline == cfg.train_pipeline
    first, second = pipeline[1]['views']
    assert first == second
    assert first.size == 224
    (drawn,) = first.photometric
    assert JITTER[family] == (
        drawn.brightness,
        drawn.contrast,
        drawn.saturation,
        drawn.hue,
    )
    assert (drawn.jitter_prob, drawn.grey_prob) == (0.8, 0.2)
    assert (drawn.blur_prob, drawn.solarise_prob) == (0.5, 0.0)
    assert drawn.blur_sigma == (0.1, 2.0)
    assert cfg.data_preprocessor.type == 'PhotometricPreprocessor'
    assert cfg.first_photometric == cfg.second_photometric == first.photometric


@pytest.mark.parametrize('family', JITTER)
def test_batch_is_the_one_that_the_learning_rate_is_meant_for(family):
    cfg = load(family)
    batch = GPUS[family] * cfg.train_dataloader.batch_size
    assert batch == cfg.auto_scale_lr.base_batch_size
    assert cfg.train_dataloader.drop_last
    if family == 'mocov2':
        assert cfg.model.queue_len % batch == 0  # upstream asserts it


@pytest.mark.parametrize('family', JITTER)
def test_imagenet_differs_in_data_and_epochs_alone(family):
    plain = []
    for data, epochs in EPOCHS.items():
        cfg = load(family, data)
        dataset = cfg.train_dataloader.dataset
        place = dataset.pop('data_root') + dataset.pop('data_prefix')
        assert place == PLACES[data]
        assert cfg.train_cfg.pop('max_epochs') == epochs
        plain.append(cfg.to_dict())
    assert plain[0] == plain[1]


@pytest.mark.parametrize('data', EPOCHS)
def test_mocov2_rate_is_a_cosine_of_the_epoch(data):
    length = 3
    for iteration, rate in enumerate(rates(load('mocov2', data), length)):
        angle = math.pi * (iteration // length) / EPOCHS[data]
        assert rate == pytest.approx(0.03 * (1 + math.cos(angle)) / 2)


@pytest.mark.parametrize('data', EPOCHS)
def test_simclr_rate_warms_up_over_10_epochs_then_is_a_cosine(data):
    length, peak = 3, 4.8
    warm, total = 10 * length, EPOCHS[data] * length
    found = list(rates(load('simclr', data), length))
    for iteration, rate in enumerate(found[:warm]):
        # mmengine reaches the peak one iteration earlier than SimCLR's code.
        expected = peak * iteration / (warm - 1)
        assert rate == pytest.approx(expected, abs=1e-5)
    for iteration, rate in enumerate(found[warm:]):
        angle = math.pi * iteration / (total - warm)
        expected = peak * (1 + math.cos(angle)) / 2
        assert rate == pytest.approx(expected, abs=1e-5)


def test_lars_leaves_norms_and_biases_alone(our_scope):
    model, cfg = build_small('simclr')
    alone = {
        id(parameter)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if isinstance(module, _BatchNorm) or name == 'bias'
    }
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert type(wrapper.optimizer).__name__ == 'LARS'
    groups = wrapper.optimizer.param_groups
    assert len(groups) == len(list(model.parameters()))
    for group in groups:
        (parameter,) = group['params']
        excluded = id(parameter) in alone
        assert group.get('lars_exclude', False) == excluded
        assert group['weight_decay'] == (0 if excluded else 1e-6)
        assert group['eta'] == 1e-3  # simclr, lars_optimizer.py


@pytest.mark.parametrize('family', JITTER)
def test_hooks_are_ours_without_the_one_for_our_key_encoder(family):
    ours = load('byol').default_hooks
    assert ours.pop('momentum_update')
    assert load(family).default_hooks == ours


def test_key_is_the_query_at_the_first_iteration_and_follows_by_0_999():
    """Whatever ``init_weights`` did to either: upstream's first update copies.

    DESIGN's trap of key encoders does not hold for this algorithm.
    """
    model, _ = build_small('mocov2')
    query = [*model.backbone.parameters(), *model.neck.parameters()]
    key = [*model.encoder_k.module.parameters()]
    assert not all(map(torch.equal, query, key))
    model.loss(two_views(), [])['loss'].backward()
    assert all(map(torch.equal, query, key))
    with torch.no_grad():
        before = [parameter.clone() for parameter in key]
        for parameter in query:
            parameter.sub_(0.1 * parameter.grad)
    model.loss(two_views(), [])
    for old, new, target in zip(before, key, query, strict=True):
        torch.testing.assert_close(new, 0.999 * old + 0.001 * target)


def test_queue_takes_the_keys_of_a_batch():
    model, _ = build_small('mocov2')
    before = model.queue.clone()
    model.loss(two_views(batch_size=4), [])
    assert model.queue_ptr.item() == 4
    assert (model.queue[:, :4] != before[:, :4]).any(0).all()
    assert torch.equal(model.queue[:, 4:], before[:, 4:])
    norms = model.queue.norm(dim=0)
    torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize('family', JITTER)
def test_two_steps_of_training(family, image_folder, tmp_path):
    options = SMALL | {
        'train_dataloader.batch_size': 4,
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.pin_memory': False,
        'train_dataloader.dataset.data_root': str(image_folder),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.dataset.pipeline.1.views.0.size': 64,
        'train_dataloader.dataset.pipeline.1.views.1.size': 64,
        'train_cfg.max_epochs': 1,
        'default_hooks.logger.interval': 1,
    }
    if family == 'mocov2':
        options |= SMALL_QUEUE
    model = launch.train(
        str(CONFIGS / family / f'{family}_r50_coco_800e.py'),
        work_dir=str(tmp_path / 'run'),
        cfg_options=options,
    )
    (log,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(steps) == 2
    assert all(math.isfinite(step['loss']) for step in steps)
    assert model.backbone.bn1.bias.abs().min() > 0  # it was 0
    if family == 'mocov2':
        assert model.queue_ptr.item() == 8
        assert model.encoder_k.steps.item() == 2
    # What a detector takes is the backbone, not MoCo's key encoder.
    out = tmp_path / 'backbone.pth'
    extract_backbone(tmp_path / 'run' / 'epoch_1.pth', out)
    weights = CheckpointLoader.load_checkpoint(str(out))
    weights = weights.get('state_dict', weights)
    trained = model.backbone.state_dict()
    assert weights.keys() == trained.keys()
    assert all(torch.equal(weights[name], trained[name]) for name in trained)
