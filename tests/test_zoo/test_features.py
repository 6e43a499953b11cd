"""Maps of a backbone, against torchvision's own and mmdet's own."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
import torchvision
from mmdet.models import ResNet
from PIL import Image
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import functional

from mmselfemd import extract_features
from mmselfemd.zoo import extract_backbone

RGB = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
CFG = 'data_preprocessor = dict(mean={mean}, std={std}, to_rgb={to_rgb})'


def disturb(model: nn.Module) -> nn.Module:
    """Give batch norm values that show if one is not read."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for name in ('weight', 'running_var'):
                getattr(module, name).data.uniform_(0.5, 1.5)
            for name in ('bias', 'running_mean'):
                getattr(module, name).data.normal_(0, 0.1)
    model.eval()
    return model


def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        for size in ((75, 130), (64, 64))
    ]


def assert_equal(maps: dict, expected) -> None:
    assert list(maps) == ['C2', 'C3', 'C4', 'C5']
    for found, wanted in zip(maps.values(), expected, strict=True):
        tolerance = 1e-5 * wanted.abs().max().item()
        torch.testing.assert_close(found, wanted, rtol=0, atol=tolerance)


def pretraining(path, backbone: nn.Module, to_rgb=True, mean=None, std=None):
    """What a run saves: the text of its config, and the weights."""
    pixels = dict(mean=mean or RGB['mean'], std=std or RGB['std'])
    weights = {f'backbone.{k}': v for k, v in backbone.state_dict().items()}
    weights['neck.weight'] = torch.ones(1)
    meta = dict(cfg=CFG.format(**pixels, to_rgb=to_rgb))
    torch.save(dict(state_dict=weights, meta=meta), path)
    return path


@pytest.fixture
def small():
    return disturb(ResNet(depth=50, base_channels=4, stem_channels=8))


@pytest.mark.parametrize('name', ['resnet18', 'resnet50'])
def test_torchvision_gives_the_same(tmp_path, monkeypatch, name):
    net = disturb(torchvision.models.get_model(name))
    torch.save(net.state_dict(), tmp_path / f'{name}.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr(
        'mmengine.runner.checkpoint.get_torchvision_models',
        lambda: {name: (tmp_path / f'{name}.pth').as_uri()},
    )
    stages = create_feature_extractor(net, [f'layer{i}' for i in range(1, 5)])
    paths = []
    for index, image in enumerate(images()):
        paths.append(tmp_path / f'{index}.png')
        cv2.imwrite(str(paths[-1]), image[..., ::-1])
    given = [paths[0], images()[1], str(paths[1])]
    found = list(extract_features(given, f'torchvision://{name}'))
    for maps, image in zip(found, (*images(), images()[1]), strict=True):
        normed = functional.normalize(
            functional.to_tensor(image),
            mean=[0.485, 0.456, 0.406],
            std=[0.229, 0.224, 0.225],
        )
        with torch.no_grad():
            expected = stages(normed[None]).values()
        assert_equal(maps, [value[0] for value in expected])
    # Odd sizes are rounded up.
    assert found[0]['C5'].shape[1:] == (3, 5)


def test_a_file_s_own_pixels_are_used(tmp_path, small):
    rgb = pretraining(tmp_path / 'rgb.pth', small)
    expected = list(extract_features(images(), rgb))
    small.conv1.weight.data = small.conv1.weight.flip(1)
    bgr = pretraining(
        tmp_path / 'bgr.pth', small, False, RGB['mean'][::-1], RGB['std'][::-1]
    )
    found = extract_features(images(), bgr)
    for maps, wanted in zip(found, expected, strict=True):
        assert_equal(maps, list(wanted.values()))
    other = pretraining(tmp_path / 'other.pth', small, True)
    maps = next(extract_features(images(), other))
    assert not torch.allclose(maps['C2'], expected[0]['C2'], atol=1e-2)


def test_one_number_of_mean_and_deviation_is_that_of_each_colour(
    tmp_path, small
):
    one, three = (
        pretraining(
            tmp_path / f'{n}.pth', small, True, [127.5] * n, [51.0] * n
        )
        for n in (1, 3)
    )
    for maps, wanted in zip(
        extract_features(images(), one),
        extract_features(images(), three),
        strict=True,
    ):
        assert_equal(maps, list(wanted.values()))


@pytest.mark.parametrize('style', ['pytorch', 'caffe'])
def test_a_file_s_own_stride_is_used(tmp_path, small, style):
    path = pretraining(tmp_path / 'a.pth', small)
    loaded = torch.load(path)
    loaded['meta'] = dict(
        style=style,
        pixel_convention=dict(
            channel_order='RGB', mean=[0.0] * 3, std=[1.0] * 3
        ),
    )
    torch.save(loaded, path)
    net = ResNet(50, base_channels=4, stem_channels=8, style=style)
    net.load_state_dict(small.state_dict())
    image = torch.from_numpy(images()[0]).permute(2, 0, 1).float()
    with torch.no_grad():
        net.eval()
        expected = net(image[None])
    assert_equal(
        next(extract_features(images(), path)), [x[0] for x in expected]
    )


STAGES = dict(strides=(1, 2, 1, 2), dilations=(1, 1, 2, 1))


@pytest.mark.parametrize('to', [None, 'mmdet', 'mmpretrain', 'safetensors'])
def test_a_run_s_own_strides_and_dilations_are_used(tmp_path, to):
    net = disturb(ResNet(18, base_channels=4, **STAGES))
    path = pretraining(tmp_path / 'run.pth', net)
    loaded = torch.load(path)
    loaded['meta']['cfg'] += (
        '\nmodel = dict(backbone=dict(depth=18, dilations=(1, 1, 2, 1), '
        "strides=(1, 2, 1, 2), type='mmpretrain.ResNet'))"
    )
    torch.save(loaded, path)
    if to == 'safetensors':
        path = extract_backbone(path, tmp_path / 'out.safetensors').path
    elif to is not None:
        path = extract_backbone(path, tmp_path / 'out.pth', to=to).path
    for maps, image in zip(
        extract_features(images(), path), images(), strict=True
    ):
        pixels = torch.from_numpy(image).permute(2, 0, 1).float()
        normed = functional.normalize(pixels, **RGB)
        with torch.no_grad():
            assert_equal(maps, [value[0] for value in net(normed[None])])


@pytest.mark.parametrize('to', ['torchvision', 'timm', 'detectron2'])
def test_projects_without_such_strides_are_not_given_them(tmp_path, to):
    net = ResNet(18, base_channels=4)
    weights = dict(state_dict=net.state_dict())
    for strides in ([1, 2, 2, 2], [1, 2, 2, 1]):
        weights['meta'] = dict(
            pixel_convention=dict(channel_order='RGB', **RGB),
            strides=strides,
            dilations=[1, 1, 1, 1],
        )
        torch.save(weights, tmp_path / f'{strides[-1]}.pth')
    extract_backbone(tmp_path / '2.pth', tmp_path / 'out.pth', to=to)
    with pytest.raises(ValueError, match=r'1\.pth has strides=.*mmpretrain'):
        extract_backbone(tmp_path / '1.pth', tmp_path / 'no.pth', to=to)
    assert not (tmp_path / 'no.pth').exists()


def test_strides_of_too_few_stages_are_said(tmp_path, small):
    path = pretraining(tmp_path / 'a.pth', small)
    loaded = torch.load(path)
    loaded['meta'] = dict(
        strides=[1, 2, 2],
        pixel_convention=dict(
            channel_order='RGB', mean=[0.0] * 3, std=[1.0] * 3
        ),
    )
    torch.save(loaded, path)
    with pytest.raises(ValueError, match='four stages'):
        extract_features(images(), path)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_an_extracted_file_gives_the_same(tmp_path, small, suffix):
    source = pretraining(tmp_path / 'run.pth', small)
    out = tmp_path / f'backbone.{suffix}'
    extract_backbone(source, out)
    for maps, wanted in zip(
        extract_features(images(), out),
        extract_features(images(), source),
        strict=True,
    ):
        assert_equal(maps, list(wanted.values()))


def test_images_are_read_when_their_maps_are_asked_for(tmp_path, small):
    path = pretraining(tmp_path / 'a.pth', small)
    maps = extract_features([images()[0], tmp_path / 'later.png'], path)
    assert next(maps)['C2'].dtype == torch.float32
    cv2.imwrite(str(tmp_path / 'later.png'), images()[1])
    assert next(maps)['C5'].shape == (128, 2, 2)


def test_files_are_read_as_in_training(tmp_path, small):
    """A fourth band is not multiplied into the colours, as OpenCV does."""
    path = pretraining(tmp_path / 'a.pth', small)
    alpha = Image.fromarray(images()[0])
    alpha.putalpha(Image.new('L', alpha.size, 7))
    alpha.save(tmp_path / 'a.tif')
    from_file, wanted = extract_features(
        [tmp_path / 'a.tif', images()[0]], path
    )
    assert_equal(from_file, list(wanted.values()))


def test_an_array_of_images_is_a_batch(tmp_path, small):
    path = pretraining(tmp_path / 'a.pth', small)
    batch = np.stack([images()[1], images()[1][:, ::-1]])
    found = list(extract_features(batch, path))
    assert len(found) == 2
    for maps, image in zip(found, batch, strict=True):
        (alone,) = extract_features([image], path)
        assert_equal(maps, list(alone.values()))


def test_without_recorded_pixels_nothing_is_guessed(tmp_path, small):
    torch.save(small.state_dict(), tmp_path / 'bare.pth')
    with pytest.raises(ValueError, match=r'bare\.pth does not say which'):
        extract_features(images(), tmp_path / 'bare.pth')


def test_another_network_is_named(tmp_path, small):
    del small.layer4[2]
    path = pretraining(tmp_path / 'a.pth', small)
    with pytest.raises(ValueError, match=r'\(3, 4, 6, 2\) bottleneck'):
        extract_features(images(), path)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ('absent.png', 'absent.png: there is no such image'),
        ('damaged.png', 'damaged.png cannot be read: it does not decode'),
        (np.zeros((9, 9), np.uint8), r'images\[1\] is uint8 of shape \(9, 9'),
        (np.zeros((9, 9, 3)), r'images\[1\] is float64'),
        (torch.zeros(9, 9, 3), r'images\[1\] is Tensor'),
    ],
)
def test_a_bad_image_is_named(tmp_path, monkeypatch, small, image, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'damaged.png').write_bytes(b'no image')
    maps = extract_features([images()[0], image], pretraining('a.pth', small))
    next(maps)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        next(maps)


def test_one_path_is_no_list():
    with pytest.raises(ValueError, match=r"expected a list .*\['a.jpg'\]"):
        extract_features('a.jpg', 'backbone.pth')


def test_importing_the_package_stays_light(root):
    code = (
        'import sys, mmselfemd\n'
        'heavy = {"mmcv", "mmdet", "mmpretrain"} & sys.modules.keys()\n'
        'assert not heavy, heavy\n'
        'mmselfemd.extract_features\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=root)
