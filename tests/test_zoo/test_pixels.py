"""What a file records about its pixels: read, or one clear error."""

import json
import math
import sys

import pytest
import safetensors.torch
import torch
import torchvision
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserError, UserValueError
from mmselfemd.zoo import extract_backbone
from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.pixels import CONVENTIONS, read_convention

GOOD = dict(channel_order='RGB', mean=[1, 2.5, 3], std=[4.0, 5.0, 6.0])
BROKEN = [
    None,
    'RGB',
    {},
    {**GOOD, 'channel_order': 'GBR'},
    {**GOOD, 'channel_order': ['RGB']},
    {**GOOD, 'mean': [1, 2]},
    {**GOOD, 'mean': 'abc'},
    {**GOOD, 'mean': [1, 2, '3']},
    {**GOOD, 'mean': [1, 2, math.nan]},
    {**GOOD, 'std': [1, 2, 0]},
    {**GOOD, 'std': [1, 2, 10**400]},
    {name: value for name, value in GOOD.items() if name != 'mean'},
]
WEIGHTS = {'backbone.conv1.weight': torch.ones(1)}


def config(**arguments) -> str:
    text = ', '.join(f'{k}={v}' for k, v in arguments.items())
    return (
        "model = dict(backbone=dict(type='A'), "
        f'data_preprocessor=dict({text}))'
    )


@pytest.mark.parametrize('record', BROKEN)
def test_broken_records_are_one_error(tmp_path, record):
    meta = dict(pixel_convention=record)
    with pytest.raises(UserValueError, match=r'^a.pth: .*pixel_convention'):
        read_convention(meta, 'a.pth')
    torch.save(dict(state_dict=WEIGHTS, meta=meta), tmp_path / 'a.pth')
    with pytest.raises(UserValueError, match=r'a\.pth: .*pixel_convention'):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_what_a_broken_record_asks_for_mends_it(tmp_path):
    weights = torchvision.models.resnet18().state_dict()
    path = tmp_path / 'a.pth'
    for broken in (dict(pixel_convention='RGB'), dict(style='x')):
        torch.save(dict(state_dict=weights, meta=broken), path)
        with pytest.raises(UserValueError, match='again with --convention'):
            import_backbone(path, tmp_path / 'c.pth')
        done = import_backbone(
            path, tmp_path / 'b.pth', convention='torchvision', force=True
        )
        assert CONVENTIONS['torchvision'].items() <= done.meta.items()


def test_one_number_stands_for_three():
    one = dict(channel_order='RGB', mean=[127.5], std=[51.0])
    three = dict(channel_order='RGB', mean=[127.5] * 3, std=[51.0] * 3)
    text = config(mean=[127.5], std=[51.0], to_rgb=True)
    for meta in (dict(pixel_convention=one), dict(cfg=text)):
        assert read_convention(meta)['pixel_convention'] == three
    assert one['mean'] == [127.5]  # what is given stays as it is


@pytest.mark.parametrize('name', CONVENTIONS)
def test_good_records_are_read(name):
    assert read_convention(CONVENTIONS[name]) == CONVENTIONS[name]


def test_style_is_one_of_two():
    with pytest.raises(UserValueError, match='style'):
        read_convention(dict(pixel_convention=GOOD, style=['pytorch']))
    text = config(mean=[1, 2, 3], std=[1, 2, 3])
    text = text.replace("'A'", "'ResNet', style='tensorflow'")
    with pytest.raises(UserValueError, match='style'):
        read_convention(dict(cfg=text))


@pytest.mark.parametrize(
    'text',
    [
        'model = dict(',
        'x = \0',
        'x = ' + '(' * 5000,
        'x = ' + '-' * 100000 + '1',
        pytest.param(
            'x = ' + '+'.join(['1'] * 100000),
            marks=pytest.mark.skipif(
                sys.version_info < (3, 11), reason='Python 3.10 reads it'
            ),
        ),
        config(mean=[1, 2, 3]),
        config(std=[1, 2, 3]),
        config(mean=5, std=[1, 2, 3]),
        config(mean=['"a"'] * 3, std=[1, 2, 3]),
        config(mean=['1e400'] * 3, std=[1, 2, 3]),
    ],
)
def test_broken_configs_are_one_error(tmp_path, text):
    torch.save(
        dict(state_dict=WEIGHTS, meta=dict(cfg=text)), tmp_path / 'a.pth'
    )
    with pytest.raises(UserValueError, match=r'a\.pth: .*meta\.'):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists()


@pytest.mark.parametrize(
    'text',
    ['x = 1', config(), config(mean=None, std=None), config(pad=1), 5, None],
)
def test_config_without_pixels_records_none(text):
    assert read_convention(dict(cfg=text)) == {}


def test_the_model_s_own_preprocessor_goes_before_the_config_s():
    """A base's stays in the config, and the runner does not take it."""
    base = dict(mean=[1.0] * 3, std=[2.0] * 3, to_rgb=True)
    own = dict(mean=[0.0] * 3, std=[1.0] * 3, to_rgb=False)
    for model, channel_order in (
        ({}, 'RGB'),
        (dict(data_preprocessor=own), 'BGR'),
    ):
        cfg = Config(dict(data_preprocessor=base, model=model))
        found = read_convention(dict(cfg=cfg.pretty_text))
        used = model.get('data_preprocessor', base)
        assert found['pixel_convention'] == dict(
            channel_order=channel_order, mean=used['mean'], std=used['std']
        )
    none = dict(data_preprocessor=None)  # which normalises nothing
    cfg = Config(dict(data_preprocessor=base, model=none))
    assert read_convention(dict(cfg=cfg.pretty_text)) == {}


def test_the_model_s_own_backbone_goes_before_a_variable_of_the_name():
    backbones = [
        dict(type='ResNet', depth=50, style=style)
        for style in ('caffe', 'pytorch')
    ]
    cfg = Config(
        dict(backbone=backbones[0], model=dict(backbone=backbones[1]))
    )
    found = read_convention(dict(cfg=cfg.pretty_text))
    assert found['style'] == 'pytorch'


@pytest.mark.parametrize(
    'text', ['', '{', '[1]', '"x"', '[' * 100000, '{"style": "x"}', '\ufffd']
)
def test_broken_metadata_of_safetensors_is_one_error(tmp_path, text):
    path = tmp_path / 'a.safetensors'
    safetensors.torch.save_file(WEIGHTS, path, dict(mmselfemd_meta=text))
    with pytest.raises(UserError, match=r'a\.safetensors: .*meta'):
        extract_backbone(path, tmp_path / 'b.pth')


def test_metadata_of_safetensors_is_read(tmp_path):
    path = tmp_path / 'a.safetensors'
    text = json.dumps(dict(pixel_convention=GOOD))
    safetensors.torch.save_file(WEIGHTS, path, dict(mmselfemd_meta=text))
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    assert read_convention(loaded['meta'])['pixel_convention'] == GOOD
