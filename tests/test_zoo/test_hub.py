"""Folders for hubs: read back by timm and torchvision, and refused in words.

transformers cannot be imported beside mmpretrain: see test_real_libraries.py.
"""

import json

import pytest
import timm
import torch
import torchvision
import yaml
from safetensors import safe_open
from safetensors.torch import load_file
from torchvision_networks import (
    IMAGE,
    assert_same,
    randomised,
    torchvision_maps,
)

from mmselfemd.zoo import extract_backbone
from mmselfemd.zoo.extract import FORMATS
from mmselfemd.zoo.hub import FOLDERS
from mmselfemd.zoo.import_backbone import import_backbone

PIXELS = dict(
    channel_order='RGB',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
)
CONFIG = (
    "model = dict(backbone=dict(type='mmpretrain.ResNet', depth=18))\n"
    'data_preprocessor = dict(mean=[123.675, 116.28, 103.53], '
    'std=[58.395, 57.12, 57.375], to_rgb=True)\n'
)


def saved(folder, network, **meta):
    """A checkpoint of a pre-training with this backbone."""
    weights = {
        f'backbone.{name}': value
        for name, value in network.state_dict().items()
        if not name.startswith('fc.')
    }
    torch.save(dict(state_dict=weights, meta=meta), folder / 'epoch_3.pth')
    return folder / 'epoch_3.pth'


@torch.no_grad()
@pytest.mark.parametrize('name', ['resnet18', 'resnext50_32x4d'])
def test_hub_is_read_by_timm_and_torchvision(tmp_path, name):
    network = randomised(getattr(torchvision.models, name)())
    source = saved(tmp_path, network, pixel_convention=PIXELS)
    folder = tmp_path / 'new' / 'mine'
    written = extract_backbone(source, folder, 'hub')
    assert written.path == folder
    assert written.size == (folder / 'model.safetensors').stat().st_size

    expected = torchvision_maps(network)
    features = timm.create_model(
        f'local-dir:{folder}', pretrained=True, features_only=True
    ).eval()
    assert_same(features(IMAGE)[1:], expected)
    whole = timm.create_model(f'local-dir:{folder}', pretrained=True)
    pixels = timm.data.resolve_data_config({}, model=whole)
    assert pixels['mean'] == pytest.approx((0.485, 0.456, 0.406), abs=1e-5)
    assert pixels['std'] == pytest.approx((0.229, 0.224, 0.225), abs=1e-5)
    assert whole.num_features == expected[-1].shape[1]

    other = getattr(torchvision.models, name)().eval()
    other.fc = torch.nn.Identity()
    other.load_state_dict(load_file(folder / 'model.safetensors'))
    assert_same(torchvision_maps(other), expected)

    # And back.
    again = import_backbone(folder / 'model.safetensors', tmp_path / 'b.pth')
    assert again.meta['project'] == 'timm' and not again.notes
    assert again.meta['pixel_convention'] == PIXELS


@pytest.mark.parametrize('to', FOLDERS)
def test_card_says_what_it_is(tmp_path, to):
    network = randomised(torchvision.models.resnet18())
    source = saved(
        tmp_path,
        network,
        cfg=CONFIG,
        epoch=3,
        seed=7,
        experiment_name='mine_20260101_120000',
    )
    folder = tmp_path / 'mine'
    extract_backbone(source, folder, to)
    card = (folder / 'README.md').read_text()
    _, front, text = card.split('---\n', 2)
    assert yaml.safe_load(front)['library_name'] in ('timm', 'transformers')
    for fact in (
        '# mine',
        'depth=18',
        'config mine, epoch 3, seed 7',
        'mean [123.675, 116.28, 103.53]',
        'epoch_3.pth',
        'licence',
    ):
        assert fact in text
    with safe_open(folder / 'model.safetensors', framework='pt') as file:
        assert file.metadata()['format'] == 'pt'

    with pytest.raises(FileExistsError, match='--force'):
        extract_backbone(source, folder, to)
    (folder / 'more.txt').write_text('mine')
    extract_backbone(source, folder, to, force=True)
    assert (folder / 'more.txt').read_text() == 'mine'


def test_readers_of_a_folder_get_three_numbers(tmp_path):
    pixels = dict(channel_order='RGB', mean=[127.5], std=[51.0])
    network = torchvision.models.resnet18()
    source = saved(tmp_path, network, pixel_convention=pixels)
    for to in FOLDERS:
        extract_backbone(source, tmp_path / to, to)
    processor = json.loads(
        (tmp_path / 'transformers' / 'preprocessor_config.json').read_text()
    )
    assert processor['image_mean'] == [0.5] * 3
    assert processor['image_std'] == [0.2] * 3
    config = json.loads((tmp_path / 'hub' / 'config.json').read_text())
    assert config['pretrained_cfg']['mean'] == [0.5] * 3
    assert config['pretrained_cfg']['std'] == [0.2] * 3


def test_config_of_transformers(tmp_path):
    network = torchvision.models.resnet50()
    source = saved(
        tmp_path, randomised(network), pixel_convention=PIXELS, style='caffe'
    )
    extract_backbone(source, tmp_path / 'hf', 'transformers')
    config = json.loads((tmp_path / 'hf' / 'config.json').read_text())
    assert config['depths'] == [3, 4, 6, 3]
    assert config['hidden_sizes'] == [256, 512, 1024, 2048]
    assert config['layer_type'] == 'bottleneck'
    assert config['downsample_in_bottleneck'] is True
    names = load_file(tmp_path / 'hf' / 'model.safetensors')
    assert 'encoder.stages.3.layers.2.layer.2.convolution.weight' in names
    again = import_backbone(
        tmp_path / 'hf' / 'model.safetensors', tmp_path / 'b.pth'
    )
    assert again.meta['style'] == 'caffe'
    with pytest.raises(ValueError, match='stride in the first 1x1'):
        extract_backbone(source, tmp_path / 'timm', 'hub')


@pytest.mark.parametrize('to', FOLDERS)
@pytest.mark.parametrize(
    ('meta', 'words'),
    [
        ({}, 'does not say which pixels'),
        (
            dict(pixel_convention=dict(PIXELS, channel_order='BGR')),
            'trained on BGR',
        ),
        (
            dict(pixel_convention=PIXELS, strides=[1, 2, 2, 1]),
            r'strides=\[1, 2, 2, 1\]',
        ),
    ],
)
def test_what_a_folder_cannot_say_is_refused(tmp_path, to, meta, words):
    source = saved(tmp_path, torchvision.models.resnet18(), **meta)
    with pytest.raises(ValueError, match=words):
        extract_backbone(source, tmp_path / 'mine', to)
    assert not (tmp_path / 'mine').exists()


def test_network_that_a_hub_lacks_is_refused(tmp_path):
    from mmdet.models import ResNet

    narrow = saved(
        tmp_path,
        ResNet(depth=18, stem_channels=8, base_channels=8),
        pixel_convention=PIXELS,
    )
    with pytest.raises(ValueError, match='8 channels.*--to transformers'):
        extract_backbone(narrow, tmp_path / 'mine', 'hub')
    extract_backbone(narrow, tmp_path / 'hf', 'transformers')
    config = json.loads((tmp_path / 'hf' / 'config.json').read_text())
    assert config['embedding_size'] == 8
    assert config['hidden_sizes'] == [8, 16, 32, 64]
    grouped = saved(
        tmp_path, torchvision.models.resnext50_32x4d(), pixel_convention=PIXELS
    )
    with pytest.raises(ValueError, match='ResNeXt'):
        extract_backbone(grouped, tmp_path / 'no', 'transformers')
    assert set(FOLDERS) < set(FORMATS)
