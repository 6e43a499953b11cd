"""Backbones of other projects, there and back: proved by their features."""

import argparse
import pickle

import pytest
import timm
import torch
import torchvision
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmselfemd.errors import UserError
from mmselfemd.zoo import UnsafeCheckpointError, extract_backbone
from mmselfemd.zoo.architecture import build_backbone
from mmselfemd.zoo.extract import FORMATS
from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.key_rules import PROJECTS

IMAGE = torch.linspace(-2, 2, 3 * 64 * 96).sin().view(1, 3, 64, 96)


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))


def randomised(network: nn.Module) -> nn.Module:
    """Give weights and statistics that no initialiser gives."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith('running_var') or name.endswith('weight'):
            if value.ndim == 1:
                value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(0, 0.1, generator=generator)
    return network.eval()


def torchvision_maps(network: nn.Module) -> list[torch.Tensor]:
    """C2-C5 of torchvision's ResNets, by its own modules."""
    maps = network.maxpool(network.relu(network.bn1(network.conv1(IMAGE))))
    found = []
    for stage in (1, 2, 3, 4):
        maps = getattr(network, f'layer{stage}')(maps)
        found.append(maps)
    return found


def our_maps(path, style='pytorch') -> list[torch.Tensor]:
    loaded = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    network = build_backbone(loaded['meta']['architecture'], style)
    network.load_state_dict(loaded['state_dict'])
    network.eval()  # returns nothing in mmdet
    return list(network(IMAGE))


def assert_same(found, expected):
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        assert theirs.std() > 0.01  # there is something to compare


@torch.no_grad()
@pytest.mark.parametrize('name', ['resnet18', 'resnet50', 'resnext50_32x4d'])
def test_torchvision(tmp_path, name):
    network = randomised(getattr(torchvision.models, name)())
    torch.save(network.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(
        tmp_path / 'a.pth', tmp_path / 'b.pth', 'torchvision'
    )
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
    done = import_backbone(
        tmp_path / 'a.pth', tmp_path / 'b.pth', 'torchvision'
    )
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
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', 'timm')
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


def published(project, network):
    """A file as the project writes it, from a network of torchvision's."""
    other = randomised(torchvision.models.resnet18()).state_dict()
    noise = {name: value + 1 for name, value in other.items()}
    if project == 'moco':  # main_moco.py
        return dict(
            epoch=200,
            arch='resnet50',
            state_dict={
                **prefixed(network, 'module.encoder_q.'),
                **{f'module.encoder_k.{k}': v for k, v in noise.items()},
                'module.queue': torch.ones(2, 3),
                'module.queue_ptr': torch.zeros(1, dtype=torch.long),
            },
            optimizer=dict(state={}, param_groups=[]),
        )
    if project == 'densecl':  # openselfsup/models/densecl.py
        return dict(
            meta=dict(epoch=200),
            state_dict={
                'queue': torch.ones(2, 3),
                **prefixed(network, 'encoder_q.0.'),
                **{f'encoder_k.0.{k}': v for k, v in noise.items()},
                **prefixed(network, 'backbone.'),
            },
        )
    if project == 'pixpro':  # contrast/models/PixPro.py, publish_model.py
        return dict(
            opt=argparse.Namespace(arch='resnet50'),
            model={
                **prefixed(network, 'module.encoder.'),
                **{f'module.encoder_k.{k}': v for k, v in noise.items()},
                'module.projector.linear1.weight': torch.ones(1),
            },
        )
    if project == 'slotcon':  # main_pretrain.py, models/slotcon.py
        return dict(
            args=argparse.Namespace(arch='resnet50'),
            model={
                **{f'module.encoder_q.{k}': v for k, v in noise.items()},
                **prefixed(network, 'module.encoder_k.'),
                'module.center': torch.ones(1),
            },
            epoch=800,
        )
    assert project == 'mmpretrain'
    return dict(
        meta=dict(epoch=100),
        state_dict={
            **prefixed(network, 'backbone.'),
            'head.fc.weight': torch.ones(1),
        },
    )


@torch.no_grad()
@pytest.mark.parametrize(
    'project', ['moco', 'densecl', 'pixpro', 'slotcon', 'mmpretrain']
)
def test_self_supervised_projects(tmp_path, project, resnet18):
    content = published(project, resnet18)
    torch.save(content, tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', project)
    assert_same(our_maps(done.path), torchvision_maps(resnet18))
    names = content.get('state_dict') or content['model']
    assert sorted([*done.mapped, *done.left]) == sorted(names)
    assert len(done.mapped) == len(resnet18.state_dict()) - 2
    assert done.meta['pixel_convention']['channel_order'] == 'RGB'


@pytest.mark.parametrize('convention', [None, 'torchvision'])
@pytest.mark.parametrize(
    'pixels', ['mean=[1.0, 1.0, 1.0], std=[2.0, 2.0, 2.0], to_rgb=True', '']
)
def test_strides_of_the_config_of_a_run(
    tmp_path, resnet18, convention, pixels
):
    content = published('mmpretrain', resnet18)
    content['meta']['cfg'] = (
        f'data_preprocessor = dict({pixels})\n'
        'model = dict(backbone=dict('
        "depth=18, strides=(1, 2, 2, 1), type='ResNet'))"
    )
    torch.save(content, tmp_path / 'a.pth')
    done = import_backbone(
        tmp_path / 'a.pth', tmp_path / 'b.pth', 'mmpretrain', convention
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
    done = import_backbone(
        tmp_path / 'a.pkl', tmp_path / 'b.pth', 'detectron2'
    )
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
    again = import_backbone(
        tmp_path / 'c.pth', tmp_path / 'd.pth', 'detectron2'
    )
    assert again.meta['pixel_convention'] == done.meta['pixel_convention']
    assert_same(our_maps(again.path), torchvision_maps(resnet18))


@torch.no_grad()
def test_stride_of_msra_is_recorded_and_not_given_to_torchvision(tmp_path):
    network = randomised(torchvision.models.resnet50())
    detectron2_pickle(tmp_path / 'a.pkl', network, __author__='Caffe2')
    with pytest.raises(ValueError, match='--convention msra'):
        import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth', 'detectron2')
    done = import_backbone(
        tmp_path / 'a.pkl', tmp_path / 'b.pth', 'detectron2', 'msra'
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
    assert_same(our_maps(done.path, 'caffe'), torchvision_maps(network))
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
        import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth', 'detectron2')
    assert not (tmp_path / 'exploded').exists()


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
            lambda w: w.update({'layer1.0.se.weight': torch.ones(3)}),
            r'1 are foreign \(layer1\.0\.se',
        ),
        (
            lambda w: [w.pop(k) for k in list(w) if 'layer4' in k],
            r'\(2, 2, 2, 0\)',
        ),
        (lambda w: w.pop('conv1.weight'), r'no known backbone.*layer1'),
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
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', 'torchvision')
    assert str(tmp_path / 'a.pth') in str(error.value)
    assert not (tmp_path / 'b.pth').exists()


def test_file_of_another_project_is_named(tmp_path, resnet18):
    torch.save(resnet18.state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'no file of moco.*encoder_q'):
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', 'moco')


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('caffe',), r"project='caffe': expected one of torchvision"),
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
    import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', 'torchvision')
    with pytest.raises(ValueError, match='MobileNetV2'):
        extract_backbone(
            tmp_path / 'b.pth', tmp_path / 'c.pth', to='detectron2'
        )


@pytest.mark.parametrize('project', PROJECTS)
def test_names_are_renamed_without_loss(project):
    modules = PROJECTS[project].modules
    assert len(set(modules.values())) == len(modules)
    names = [f'{module}.weight' for module in modules.values()]
    theirs = PROJECTS[project].theirs(names)
    assert list(theirs.values()) == [f'{name}.weight' for name in modules]


def test_safetensors_is_a_checkpoint_like_the_others(tmp_path, resnet18):
    torch.save(resnet18.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(
        tmp_path / 'a.pth', tmp_path / 'b.pth', 'torchvision'
    )
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
