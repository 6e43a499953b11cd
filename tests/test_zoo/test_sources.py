"""Whose file it is, is seen: by names, shapes, and what lies beside it."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.resnet import Bottleneck
from torchvision_networks import (
    assert_same,
    narrow_resnet,
    our_maps,
    randomised,
    torchvision_maps,
)

from mmselfemd.errors import UserError
from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.key_rules import LAYOUTS
from mmselfemd.zoo.sources import PROJECTS, SOURCES

sys.path.insert(0, str(Path(__file__).parent))
from published_files import laid_out, published_files

NETWORK = narrow_resnet()
FILES = published_files(NETWORK, narrow_resnet())


@torch.no_grad()
@pytest.mark.parametrize('name', FILES)
def test_projects_are_recognised(tmp_path, name):
    project, words, content = FILES[name]
    torch.save(content, tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert (done.meta['project'], done.missing) == (project, [])
    assert words in done.recognised
    assert len(done.mapped) == 120  # all but the classifier
    assert_same(our_maps(done.path), torchvision_maps(NETWORK))
    assert done.meta['pixel_convention']['channel_order'] == 'RGB'
    # The same where it is said whose it is.
    named = import_backbone(tmp_path / 'a.pth', tmp_path / 'c.pth', project)
    assert named.mapped == done.mapped


def test_every_row_has_a_file():
    """But those whose real library writes them in another test."""
    elsewhere = {'lightly', 'lightly-train', 'transformers', 'timm'}
    found = {project for project, _, _ in FILES.values()} | elsewhere
    assert found | {'densecl'} == set(PROJECTS)


def test_the_other_encoder_and_the_student_are_named(tmp_path):
    torch.save(FILES['dino'][2], tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.others['student'] == len(FILES['dino'][2]['student'])
    assert done.others['dino_loss'] == 1
    assert 'module.head.mlp.0.weight' in done.left


@pytest.mark.parametrize('name', [name for name in FILES if name != 'slotcon'])
def test_a_wrong_project_is_named(tmp_path, name):
    torch.save(FILES[name][2], tmp_path / 'a.pth')
    wrong = 'moco' if FILES[name][0] != 'moco' else 'pixpro'
    with pytest.raises(ValueError, match=rf'files of {wrong}; without --from'):
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth', wrong)
    assert not (tmp_path / 'b.pth').exists()


@torch.no_grad()
def test_detector_of_torchvision(tmp_path):
    backbone = resnet_fpn_backbone(backbone_name='resnet18', weights=None)
    detector = FasterRCNN(backbone, 2, min_size=64, max_size=96)
    randomised(detector)
    torch.save(detector.state_dict(), tmp_path / 'a.pth')
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert "detector of torchvision's" in done.recognised
    # In its own preprocessing, of values from 0 to 1.
    image = torch.rand(3, 64, 96)
    inputs = detector.transform([image])[0].tensors
    expected = list(detector.backbone.body(inputs).values())
    pixels = done.meta['pixel_convention']
    mean, std = (
        torch.tensor(pixels[k]).view(3, 1, 1) for k in ('mean', 'std')
    )
    ours = (255 * image - mean) / std
    assert_same(our_maps(done.path, ours[None]), expected)


def caffe2_pickle(path: Path, network: torch.nn.Module, *without: str):
    """As c2_model_loading.py reads them: unfused, `conv1_b` besides."""
    weights = {
        name: value.numpy()
        for name, value in network.state_dict().items()
        if not name.endswith('num_batches_tracked') and 'fc.' not in name
    }
    kinds = dict(
        weight='gamma',
        bias='beta',
        running_mean='running_mean',
        running_var='running_var',
    )
    blobs = dict(conv1_b=np.zeros(64), fc1000_w=np.zeros((2, 2)))
    for name, value in weights.items():
        module, _, kind = name.rpartition('.')
        parts = module.split('.')
        is_norm = 'bn' in module or module.endswith('downsample.1')
        if parts[0].startswith('layer'):
            branch = (
                '1'
                if 'downsample' in module
                else f'2{"abc"[int(parts[2][-1]) - 1]}'
            )
            theirs = f'res{int(parts[0][-1]) + 1}_{parts[1]}_branch{branch}'
        else:
            theirs = 'res_conv1' if is_norm else 'conv1'
        ending = f'_bn_{kinds[kind]}' if is_norm else '_w'
        blobs[theirs + ending] = value
        blobs[f'{theirs + ending}_momentum'] = value
    for ending in without:
        blobs = {k: v for k, v in blobs.items() if not k.endswith(ending)}
    path.write_bytes(pickle.dumps(dict(blobs=blobs)))


@torch.no_grad()
@pytest.mark.parametrize(
    ('groups', 'style', 'std'),
    [(1, 'caffe', 1.0), (32, 'pytorch', 57.375)],
)
def test_caffe2_names_of_detectron2(tmp_path, groups, style, std):
    network = narrow_resnet(Bottleneck, (3, 4, 6, 3))
    if groups > 1:
        network = randomised(torchvision.models.resnext50_32x4d())
    caffe2_pickle(tmp_path / 'R-50.pkl', network)
    done = import_backbone(tmp_path / 'R-50.pkl', tmp_path / 'b.pth')
    assert 'Caffe2' in done.recognised and done.meta['style'] == style
    assert done.meta['pixel_convention']['channel_order'] == 'BGR'
    assert done.meta['pixel_convention']['std'][0] == std
    assert {'conv1_b', 'fc1000_w', 'conv1_w_momentum'} <= set(done.left)
    if style == 'caffe':  # the stride moved in torchvision's, as Caffe has it
        for stage in (2, 3, 4):
            block = getattr(network, f'layer{stage}')[0]
            block.conv1.stride, block.conv2.stride = (2, 2), (1, 1)
    assert_same(our_maps(done.path), torchvision_maps(network))


def test_tables_are_whole():
    assert {source.layout for source in SOURCES} <= set(LAYOUTS)
    for layout in LAYOUTS.values():
        modules = [name for name in layout.names if '_bn_' not in name]
        assert len({layout.names[name] for name in modules}) == len(modules)


@torch.no_grad()
@pytest.mark.parametrize('prefix', ['', 'backbone.', 'teacher_backbone.'])
def test_children_of_torchvision_in_a_row(tmp_path, prefix):
    """As lightly's examples make a backbone."""
    row = torch.nn.Sequential(*list(NETWORK.children())[:-1])
    content = {prefix + k: v for k, v in row.state_dict().items()}
    if prefix == 'teacher_backbone.':
        other = narrow_resnet()
        content |= laid_out('sequential', other, 'student_backbone.')
    torch.save(dict(state_dict=content), tmp_path / 'a.ckpt')
    done = import_backbone(tmp_path / 'a.ckpt', tmp_path / 'b.pth')
    assert done.meta['project'] == 'lightly'
    assert_same(our_maps(done.path), torchvision_maps(NETWORK))


@pytest.mark.parametrize('change', [dict, list, lambda: {'a': 1}])
def test_a_file_without_tensors_is_named(tmp_path, change):
    torch.save(change(), tmp_path / 'a.pth')
    with pytest.raises(UserError, match=r'a\.pth holds no weights'):
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')


def test_several_tensors_for_one_place_are_refused(tmp_path):
    content = FILES['detectron2 c4'][2]
    weights = dict(content['model'])
    weights['backbone.res5.0.conv1.weight'] = torch.ones(1)
    torch.save(dict(content, model=weights), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='several tensors for the same'):
        import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
