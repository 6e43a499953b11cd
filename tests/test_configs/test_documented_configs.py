"""The configs that the documentation shows, read from it and built."""

import argparse
import re
import shlex
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, HOOKS, MODELS, DefaultScope

import mmselfemd  # noqa: F401  makes `_base_ = 'mmselfemd::...'` known
from mmselfemd.engine.command_line import CfgOptionsAction
from mmselfemd.engine.launch import load_config

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'configs' / 'detection' / 'README.md']
RECIPES = ROOT / 'configs' / 'selfemd' / 'README.md'
CHOICES = re.findall(
    r'`("?(?:model|default_hooks)\.[^`]*=[^`]*)`', RECIPES.read_text()
)


@pytest.mark.parametrize('page', PAGES, ids=['readme', 'detection'])
def test_python_block_is_a_config(page, tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', page.read_text(), re.S)
    path = tmp_path / 'mine.py'
    path.write_text(block)
    cfg = Config.fromfile(path)
    assert cfg.pretrained == 'backbone.pth'
    hook = cfg.default_hooks.pretrained_backbone
    assert hook.type == 'mmselfemd.PretrainedBackboneHook'
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    assert all(p.requires_grad for p in model.parameters())
    norms = {
        type(module).__name__
        for module in model.backbone.modules()
        if 'Norm' in type(module).__name__
    }
    assert norms == {'SyncBatchNorm'}


def narrow(cfg):
    """Few channels, so that the model is built at once."""
    cfg.model.backbone.update(depth=18, base_channels=4, stem_channels=4)
    cfg.model.neck[0].update(in_channels=32, hidden_channels=8)
    cfg.model.head.update(hidden_channels=8)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        return MODELS.build(cfg.model)


def step(model):
    model.has_momentum_hook = True
    inputs = [torch.randn(2, 3, size, size) for size in (224, 224, 112)]
    losses = model.loss(inputs, [])
    model.parse_losses(losses)[0].backward()
    assert all(value.isfinite() for value in losses.values())


def test_choices_are_found():
    assert len(CHOICES) > 12


@pytest.mark.parametrize('choice', CHOICES)
def test_a_documented_choice_takes_a_step(choice, root):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptionsAction)
    options = parser.parse_args(['--cfg-options', *shlex.split(choice)])
    config = str(root / 'configs' / 'selfemd' / 'selfemd_r50_coco_800e.py')
    cfg = load_config(config, cfg_options=options.cfg_options)
    assert cfg.to_dict() != load_config(config).to_dict()
    step(revert_sync_batchnorm(narrow(cfg)))
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        HOOKS.build(cfg.default_hooks.momentum_update)


def test_the_pyramid_after_the_predictor_takes_a_step(tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', RECIPES.read_text(), re.S)
    path = tmp_path / 'mine.py'
    path.write_text(block)
    model = revert_sync_batchnorm(narrow(Config.fromfile(path)))
    assert type(model.head.pyramid).__name__ == 'SPCNeck'
    assert len(model.neck) == 1
    step(model)


def blocks_of(page):
    return re.findall(
        r'```python\n(.*?)```', (ROOT / 'docs' / page).read_text(), re.S
    )


def test_another_backend_of_the_visualizer_is_one_block(tmp_path):
    (block,) = blocks_of('loggers.md')
    path = tmp_path / 'mine.py'
    path.write_text(block)
    backends = Config.fromfile(path).visualizer.vis_backends
    assert [backend.type for backend in backends] == [
        'LocalVisBackend',
        'TensorboardVisBackend',
        'mmselfemd.WandbVisBackend',
        'mmselfemd.MLflowVisBackend',
    ]


def test_checkpoints_are_kept_by_gain():
    config = ROOT / 'configs/selfemd/selfemd_r50_coco_800e.py'
    hook = Config.fromfile(config).default_hooks.checkpoint
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        hook = HOOKS.build(hook)
    assert hook.key_indicators == ['matching/gain']
    assert hook.rules == ['greater']


def test_pictures_from_python(image_folder, tmp_path, monkeypatch, our_scope):
    (block,) = blocks_of('pictures.md')
    cfg = Config.fromfile(ROOT / 'configs/small/selfemd_r18_voc256_20e.py')
    cfg.val_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix='', ann_file=''
    )
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    model = MODELS.build(
        cfg.model | dict(data_preprocessor=cfg.data_preprocessor)
    )
    monkeypatch.chdir(tmp_path)
    exec(
        block,
        dict(
            backbone=model.backbone,
            data_preprocessor=model.data_preprocessor,
            batch=default_collate([dataset[index] for index in range(4)]),
        ),
    )
    assert (tmp_path / 'heat.png').is_file()
    assert (tmp_path / 'lines.png').is_file()


def test_the_transport_from_python():
    (block,) = blocks_of('transport.md')
    names = dict(
        x=torch.randn(2, 5, 4),
        y=torch.randn(2, 3, 4),
        source=torch.rand(2, 5),
        target=torch.rand(2, 3),
    )
    exec(block, names)
    assert names['cost'].shape == names['plan'].flow.shape == (2, 5, 3)
    assert names['score'].shape == (2,)
