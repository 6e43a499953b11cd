"""Backbones of other projects, there and back: proved by their features."""

import pickle

import pytest
import timm
import torch
import torchvision
from mmengine.runner.checkpoint import CheckpointLoader
from torchvision_networks import (
    IMAGE,
    assert_same,
    our_maps,
    randomised,
    torchvision_maps,
)

from mmselfemd.errors import UserError
from mmselfemd.zoo import UnsafeCheckpointError, extract_backbone
from mmselfemd.zoo.extract import FORMATS
from mmselfemd.zoo.import_backbone import import_backbone


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))


@torch.no_grad()
@pytest.mark.parametrize('name', ['resnet18', 'resnet50', 'resnext50_32x4d'])
def test_torchvision(tmp_path, name):
    network = randomised(getattr(torchvision.models, name)())
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.left == ['fc.weight', 'fc.bias'] and done.missing == []
    assert_same(our_maps(done.path), torchvision_maps(network))

    extract_backbone(done.path, tmp_path / 'c.pth', to='torchvision')
    other = getattr(torchvision.models, name)().eval()
    back = torch.load(tmp_path / 'c.pth', weights_only=True)
    lacking = other.load_state_dict(back, strict=False)
    assert lacking.missing_keys == ['fc.weight', 'fc.bias']
    assert lacking.unexpected_keys == []
    assert_same(torchvision_maps(other), torchvision_maps(network))


@torch.no_grad()
def test_torchvision_mobilenet_v2(tmp_path):
    network = randomised(torchvision.models.mobilenet_v2())
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.left == ['classifier.1.weight', 'classifier.1.bias']
    expected, maps = [], IMAGE
    for index, module in enumerate(network.features):
        maps = module(maps)
        if index in (3, 6, 13, 18):
            expected.append(maps)
    assert_same(our_maps(done.path), expected)

    extract_backbone(done.path, tmp_path / 'c.pth', to='torchvision')
    back = torch.load(tmp_path / 'c.pth', weights_only=True)
    other = torchvision.models.mobilenet_v2().eval()
    assert other.load_state_dict(back, strict=False).unexpected_keys == []
    assert_same([other.features(IMAGE)], expected[3:])


@torch.no_grad()
@pytest.mark.parametrize('name', ['resnet34', 'resnet50'])
def test_timm(tmp_path, name):
    network = randomised(timm.create_model(name))
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    expected = network.forward_intermediates(
        IMAGE, indices=[1, 2, 3, 4], intermediates_only=True
    )
    assert_same(our_maps(done.path), expected)

    # timm's own way of reading a file, strict.
    out = tmp_path / 'c.safetensors'
    extract_backbone(done.path, out, to='timm')
    other = timm.create_model(name, num_classes=0, checkpoint_path=str(out))
    assert_same(
        other.eval().forward_intermediates(
            IMAGE, indices=[1, 2, 3, 4], intermediates_only=True
        ),
        expected,
    )


@pytest.fixture(scope='module')
def resnet18():
    """torchvision's network, with a name for what projects add to it."""
    return randomised(torchvision.models.resnet18())


def prefixed(network, prefix):
    return {prefix + k: v for k, v in network.state_dict().items()}


@pytest.mark.parametrize('convention', [None, 'torchvision'])
@pytest.mark.parametrize(
    'pixels', ['mean=[1.0, 1.0, 1.0], std=[2.0, 2.0, 2.0], to_rgb=True', '']
)
def test_strides_of_the_config_of_a_run(
    tmp_path, resnet18, convention, pixels
):
    weights = {f'backbone.{k}': v for k, v in resnet18.state_dict().items()}
    cfg = (
        f'data_preprocessor = dict({pixels})\n'
        'model = dict(backbone=dict('
        "depth=18, strides=(1, 2, 2, 1), type='ResNet'))"
    )
    torch.save(
        dict(state_dict=weights, meta=dict(cfg=cfg)), tmp_path / 'a.pth'
    )
    done = import_backbone(
        tmp_path / 'a.pth', tmp_path / 'b.pth', convention=convention
    )
    assert done.meta['strides'] == [1, 2, 2, 1]
    assert done.meta['dilations'] == [1, 1, 1, 1]
    assert done.meta['pixel_convention']['channel_order'] == 'RGB'


def detectron2_name(name: str) -> str:
    """tools/convert-torchvision-to-d2.py in words of its own."""
    module, _, tensor = name.rpartition('.')
    parts = module.split('.')
    if parts[0].startswith('layer'):
        parts[0] = f'res{int(parts[0][-1]) + 1}'
    else:
        parts.insert(0, 'stem')
    if 'downsample' in parts:
        norm = parts[-1] == '1'
        parts[-2:] = ['shortcut', 'norm'] if norm else ['shortcut']
    elif parts[-1].startswith('bn'):
        parts[-1:] = [f'conv{parts[-1][2:]}', 'norm']
    return '.'.join([*parts, tensor])


def detectron2_pickle(path, network, **more):
    arrays = {
        detectron2_name(name): value.numpy()
        for name, value in network.state_dict().items()
    }
    content = dict(model=arrays, matching_heuristics=True, **more)
    path.write_bytes(pickle.dumps(content))


@torch.no_grad()
def test_detectron2(tmp_path, resnet18):
    detectron2_pickle(tmp_path / 'a.pkl', resnet18, __author__='MOCO')
    done = import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth')
    assert done.left == ['stem.fc.weight', 'stem.fc.bias']
    assert_same(our_maps(done.path), torchvision_maps(resnet18))

    extract_backbone(done.path, tmp_path / 'c.pth', to='detectron2')
    back = torch.load(tmp_path / 'c.pth', weights_only=True)
    assert back['matching_heuristics'] is True
    assert back['model'].keys() == {
        detectron2_name(name)
        for name in resnet18.state_dict()
        if not name.startswith('fc.')
    }
    again = import_backbone(tmp_path / 'c.pth', tmp_path / 'd.pth')
    assert again.meta['pixel_convention'] == done.meta['pixel_convention']
    assert_same(our_maps(again.path), torchvision_maps(resnet18))


@torch.no_grad()
def test_stride_of_msra_is_recorded_and_not_given_to_torchvision(tmp_path):
    network = randomised(torchvision.models.resnet50())
    detectron2_pickle(tmp_path / 'a.pkl', network, __author__='Caffe2')
    with pytest.raises(ValueError, match='--convention msra'):
        import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth')
    done = import_backbone(
        tmp_path / 'a.pkl', tmp_path / 'b.pth', convention='msra'
    )
    assert done.meta['style'] == 'caffe'
    assert done.meta['pixel_convention'] == dict(
        channel_order='BGR',
        mean=[103.53, 116.28, 123.675],
        std=[1.0, 1.0, 1.0],
    )
    # The stride moved in torchvision's network, as Caffe has it.
    for stage in (2, 3, 4):
        block = getattr(network, f'layer{stage}')[0]
        block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    assert_same(our_maps(done.path), torchvision_maps(network))
    with pytest.raises(ValueError, match='stride'):
        extract_backbone(done.path, tmp_path / 'c.pth', to='torchvision')
    extract_backbone(done.path, tmp_path / 'c.pth', to='detectron2')


def test_pickle_that_runs_code_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (tmp_path / 'exploded').touch, ()

    content = dict(model=Bomb(), __author__='x')
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content))
    with pytest.raises(UnsafeCheckpointError, match=r'a\.pkl is refused'):
        import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth')
    assert not (tmp_path / 'exploded').exists()


def test_pickle_at_an_address_is_to_be_downloaded_first(tmp_path):
    address = 'https://x.invalid/ImageNetPretrained/MSRA/R-50.pkl'
    with pytest.raises(UserError, match=f'{address}: .*Download it first'):
        import_backbone(address, tmp_path / 'b.pth')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: w.pop('layer2.1.conv1.weight'), '1 tensors are missing'),
        (
            lambda w: w.update({'layer2.1.conv1.weight': torch.ones(3)}),
            r'layer2\.1\.conv1\.weight is \(3,\) instead of',
        ),
        (
            lambda w: w.update({'layer4.2.conv1.weight': torch.ones(3)}),
            r'no known depth.*\(2, 2, 2, 3\) basic',
        ),
        (
            lambda w: w.update({'layer1.0.conv3.weight': torch.ones(3)}),
            r'no known depth.*\(2, 2, 2, 2\) bottleneck',
        ),
        (
            lambda w: w.update({'layer1.0.more.weight': torch.ones(3)}),
            r'1 are foreign \(layer1\.0\.more',
        ),
        (
            lambda w: [w.pop(k) for k in list(w) if 'layer4' in k],
            r'\(2, 2, 2, 0\)',
        ),
        (lambda w: w.pop('conv1.weight'), r'no backbone in names.*layer1'),
        (
            lambda w: w.update({'bn1.bias': torch.full((64,), torch.nan)}),
            r'hold NaN or infinity, bn1\.bias first',
        ),
    ],
)
def test_what_does_not_fit_is_said(tmp_path, resnet18, change, message):
    weights = dict(resnet18.state_dict())
    change(weights)
    torch.save(weights, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message) as error:
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert str(tmp_path / 'a.pth') in str(error.value)
    assert not (tmp_path / 'b.pth').exists()


def test_file_of_another_project_is_named(tmp_path, resnet18):
    torch.save(resnet18.state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'files of moco; without --from'):
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', 'moco')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('caffe',), r"project='caffe': expected one of detectron2"),
        (('timm', 'bgr'), r"convention='bgr': expected one of torchvision"),
    ],
)
def test_unknown_words_are_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        import_backbone('x', tmp_path / 'b.pth', *arguments)


def test_mobilenet_has_no_names_in_detectron2(tmp_path):
    torch.save(
        torchvision.models.mobilenet_v2().state_dict(), tmp_path / 'a.pth'
    )
    import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    with pytest.raises(ValueError, match='MobileNetV2'):
        extract_backbone(
            tmp_path / 'b.pth', tmp_path / 'c.pth', to='detectron2'
        )


def test_safetensors_is_a_checkpoint_like_the_others(tmp_path, resnet18):
    torch.save(resnet18.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    out = tmp_path / 'c.safetensors'
    extract_backbone(done.path, out)
    loaded = CheckpointLoader.load_checkpoint(str(out), 'cpu')
    expected = torch.load(done.path, weights_only=True)
    assert (
        loaded['meta']['pixel_convention']
        == expected['meta']['pixel_convention']
    )
    assert loaded['state_dict'].keys() == expected['state_dict'].keys()
    for name, value in loaded['state_dict'].items():
        assert torch.equal(value, expected['state_dict'][name])
    out.write_bytes(out.read_bytes()[:-10])
    with pytest.raises(ValueError, match=r'c\.safetensors is damaged'):
        CheckpointLoader.load_checkpoint(str(out), 'cpu')


@pytest.mark.parametrize('to', FORMATS)
def test_what_is_refused_is_never_copied(tmp_path, monkeypatch, to):
    """Names may share numbers: a copy would take many times the file."""
    few = {'backbone.conv1.weight': torch.ones(64, 3, 7, 7)}  # no network
    if to in ('mmdet', 'mmpretrain'):  # which take any
        few['backbone.bn1.weight'] = torch.full((64,), torch.nan)
    torch.save(dict(state_dict=few), tmp_path / 'a.pth')
    copies = []
    monkeypatch.setattr(torch.Tensor, 'clone', copies.append)
    with pytest.raises(UserError):
        extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', to)
    assert not copies
