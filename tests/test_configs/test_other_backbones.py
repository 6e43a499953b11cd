"""The configs of docs/backbones.md, read from it, built and trained."""

import json
import math
import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmselfemd.engine import launch
from mmselfemd.registry import MODELS

PAGE = Path(__file__).resolve().parents[2] / 'docs' / 'backbones.md'
# Side of the last map of a view of 224 and of 112, and nodes of both.
MAPS = {
    'ResNet': ((7, 4), (83, 20)),
    'ResNeXt': ((7, 4), (83, 20)),
    'ConvNeXt': ((7, 3), (83, 11)),
    'SwinTransformer': ((7, 4), (83, 20)),
}
# The same networks, narrow.
NARROW = {
    'ResNet': {
        'model.backbone.stem_channels': 8,
        'model.backbone.base_channels': 8,
        'model.neck.0.in_channels': 64,
    },
    'ResNeXt': {
        'model.backbone.stem_channels': 8,
        'model.backbone.groups': 4,
        'model.backbone.base_channels': 8,
        'model.neck.0.in_channels': 256,
    },
    'ConvNeXt': {
        'model.backbone.arch': dict(
            _delete_=True, depths=[1, 1, 1, 1], channels=[8, 8, 16, 32]
        ),
        'model.neck.0.in_channels': 32,
    },
    'SwinTransformer': {
        'model.backbone.arch': dict(
            _delete_=True,
            embed_dims=8,
            depths=[1, 1, 1, 2],
            num_heads=[1, 1, 2, 2],
        ),
        'model.neck.0.in_channels': 64,
    },
}


@pytest.fixture(scope='module')
def blocks(tmp_path_factory):
    """Paths of the documented configs, by the name of their backbone."""
    folder = tmp_path_factory.mktemp('documented')
    paths = {}
    for block in re.findall(r'```python\n(.*?)```', PAGE.read_text(), re.S):
        path = folder / f'{len(paths)}.py'
        path.write_text(block)
        name = re.search(r"type='mmpretrain\.(\w+)'", block)
        name = name.group(1) if name else 'ResNet'
        paths[f'{name} detector' if 'detection/' in block else name] = path
    return paths


def test_the_page_shows_these(blocks):
    assert blocks.keys() == MAPS.keys() | {'ConvNeXt detector'}


@pytest.mark.parametrize('name', MAPS)
def test_last_map_is_what_the_neck_and_the_page_say(name, blocks, our_scope):
    cfg = Config.fromfile(blocks[name])
    backbone = MODELS.build(cfg.model.backbone)
    width = cfg.model.neck[0].in_channels
    sides, nodes = MAPS[name]
    with torch.no_grad():
        maps = [backbone(torch.zeros(1, 3, s, s))[-1] for s in (224, 112)]
    assert [tuple(m.shape) for m in maps] == [(1, width, s, s) for s in sides]
    (row,) = re.findall(
        rf'^\| {name.removesuffix("Transformer")}[^|]*\|(.*)\|$',
        PAGE.read_text(),
        re.M,
    )
    assert [int(figure) for figure in re.findall(r'\d+', row)] == [
        width,
        *(side for side in sides for _ in range(2)),
        *nodes,
    ]


@pytest.mark.parametrize('name', MAPS)
def test_two_steps_of_training(name, blocks, image_folder, tmp_path):
    model = launch.train(
        str(blocks[name]),
        work_dir=str(tmp_path / 'run'),
        cfg_options=NARROW[name]
        | {
            'model.neck.0.hidden_channels': 16,
            'model.neck.0.out_channels': 8,
            'model.head.in_channels': 8,
            'model.head.hidden_channels': 16,
            'train_dataloader.batch_size': 4,
            'train_dataloader.num_workers': 0,
            'train_dataloader.persistent_workers': False,
            'train_dataloader.pin_memory': False,
            'train_dataloader.dataset.data_root': str(image_folder),
            'train_dataloader.dataset.data_prefix': '',
            'train_cfg.max_epochs': 1,
            'default_hooks.logger.interval': 1,
        },
    )
    (log,) = (tmp_path / 'run').glob('*/vis_data/scalars.json')
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(steps) == 2
    assert all(math.isfinite(step['loss']) for step in steps)
    model.eval()
    with torch.no_grad():
        found = [
            model.encoder(torch.zeros(1, 3, s, s)).nodes.shape[1]
            for s in (224, 112)
        ]
    assert tuple(found) == MAPS[name][1]


def test_a_small_view_of_128_gives_convnext_a_map_of_4(blocks, our_scope):
    cfg = Config.fromfile(blocks['ConvNeXt'])
    backbone = MODELS.build(cfg.model.backbone)
    with torch.no_grad():
        last = backbone(torch.zeros(1, 3, 128, 128))[-1]
    assert tuple(last.shape[2:]) == (4, 4)
    path = re.search(r'`train_dataloader\.(\S+)=128`', PAGE.read_text())
    assert (
        launch.load_config(
            str(blocks['ConvNeXt']),
            cfg_options={f'train_dataloader.{path.group(1)}': 128},
        )
        .train_dataloader.dataset.pipeline[1]['views'][2]
        .size
        == 128
    )


def test_detector_has_the_tensors_of_the_pre_trained_backbone(blocks):
    cfg = Config.fromfile(blocks['ConvNeXt detector'])
    assert cfg.pretrained == 'backbone.pth'
    with DefaultScope.overwrite_default_scope('mmdet'):
        detector = MODELS.build(cfg.model)
        maps = detector.extract_feat(torch.zeros(1, 3, 64, 64))
    assert len(maps) == 5
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        backbone = MODELS.build(
            Config.fromfile(blocks['ConvNeXt']).model.backbone
        )
    shapes = [
        {name: value.shape for name, value in part.state_dict().items()}
        for part in (detector.backbone, backbone)
    ]
    assert shapes[0] == shapes[1]
