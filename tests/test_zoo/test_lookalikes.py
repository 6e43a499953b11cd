"""What looks like a known network and is not, is refused in words."""

import json
import pickle

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn
from torchvision_networks import (
    IMAGE,
    assert_same,
    our_maps,
    randomised,
)

from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.recognition import recognise


def weights_of(build, *arguments, **settings) -> dict[str, torch.Tensor]:
    """Names and shapes, with whatever numbers."""
    with torch.device('meta'):
        weights = build(*arguments, **settings).state_dict()
    return {
        name: torch.empty(value.shape, dtype=value.dtype)
        for name, value in weights.items()
    }


def cifar_resnet18() -> nn.Module:
    """As solo-learn and others change torchvision's for small images."""
    network = torchvision.models.resnet18()
    network.conv1 = nn.Conv2d(3, 64, 3, 1, 2, bias=False)
    network.maxpool = nn.Identity()
    return network


def fused_resnet18() -> dict[str, torch.Tensor]:
    """Batch norm in the convolutions before it, which get a bias."""
    weights = weights_of(torchvision.models.resnet18)
    return {
        name.replace('bn', 'conv'): value
        for name, value in weights.items()
        if 'conv' in name or 'bn' in name and name.endswith('.bias')
    }


@pytest.mark.parametrize(
    ('words', 'weights'),
    [
        ('3x3 and not 7x7', lambda: weights_of(cifar_resnet18)),
        ("of CLIP's", lambda: weights_of(timm.create_model, 'resnet50_clip')),
        (
            'no running statistics: group norm',
            lambda: weights_of(timm.create_model, 'resnet50_gn'),
        ),
        (
            'group norm',
            lambda: weights_of(
                torchvision.models.resnet18,
                norm_layer=lambda width: nn.GroupNorm(32, width),
            ),
        ),
        ('fused into its convolutions', fused_resnet18),
        ('ResNet-D', lambda: weights_of(timm.create_model, 'resnet50d')),
        (
            'squeeze and excitation',
            lambda: weights_of(timm.create_model, 'seresnet50'),
        ),
        (
            'a wide ResNet',
            lambda: weights_of(torchvision.models.wide_resnet50_2),
        ),
        (
            'a vision transformer',
            lambda: weights_of(timm.create_model, 'vit_tiny_patch16_224'),
        ),
        (
            "torchvision's own way",
            lambda: weights_of(
                torchvision.models.segmentation.fcn_resnet50,
                weights_backbone=None,
                aux_loss=True,
            ),
        ),
    ],
)
def test_other_networks_are_named(words, weights):
    with pytest.raises(ValueError, match=words) as error:
        recognise(weights(), 'a.pth')
    assert str(error.value).startswith('a.pth')


@pytest.mark.parametrize(
    ('ending', 'words'), [('gn', 'group norm'), ('bn', 'fused into a scale')]
)
def test_other_norms_of_detectron_are_named(tmp_path, ending, words):
    """Detectron's own files: R-50-GN.pkl, and one of its model zoo."""
    blobs = dict(conv1_w=np.zeros((64, 3, 7, 7)))
    for conv in ('res_conv1', 'res2_0_branch2a'):
        for kind in 'sb':
            blobs[f'{conv}_{ending}_{kind}'] = np.zeros(64)
    blobs['res2_0_branch2a_w'] = np.zeros((64, 64, 1, 1))
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(dict(blobs=blobs)))
    with pytest.raises(ValueError, match=words):
        import_backbone(tmp_path / 'a.pkl', tmp_path / 'b.pth')


@pytest.fixture(scope='module')
def pooled():
    """timm's network with resnet18's names and shapes."""
    return randomised(timm.create_model('resnetblur18'))


@torch.no_grad()
def test_pooled_network_of_timm_is_another(pooled):
    """Why it is refused: the same tensors, other maps."""
    plain = timm.create_model('resnet18').eval()
    plain.load_state_dict(pooled.state_dict())
    expected = pooled.forward_features(IMAGE)
    found = plain.forward_features(IMAGE)
    assert (found - expected).norm() > 0.05 * expected.norm()


@pytest.mark.parametrize(
    'place',
    [
        'resnetblur18.pth',
        'resnetblur18-84f4748f.pth',
        'models--timm--resnetblur18.a1_in1k/snapshots/1/weights.pth',
        'resnetblur18.a1_in1k/weights.pth',
    ],
)
def test_pooled_network_is_refused_by_the_name(tmp_path, pooled, place):
    source = tmp_path / place
    source.parent.mkdir(parents=True, exist_ok=True)
    torch.save(pooled.state_dict(), source)
    with pytest.raises(ValueError, match='Its name says.*resnetblur18.*pools'):
        import_backbone(source, tmp_path / 'b.pth')


def test_pooled_network_is_refused_by_the_config_beside_it(tmp_path, pooled):
    timm.models.save_for_hf(pooled, tmp_path / 'hub', safe_serialization=True)
    source = tmp_path / 'hub' / 'model.safetensors'
    with pytest.raises(ValueError, match=r'config\.json.*resnetblur18'):
        import_backbone(source, tmp_path / 'b.pth')
    config = json.loads((source.parent / 'config.json').read_text())
    for architecture, words in (
        ('resnetaa50', 'resnetaa50.*shapes of resnet50'),
        ('resnetv2_50', 'none of the known networks'),
    ):
        config['architecture'] = architecture
        (source.parent / 'config.json').write_text(json.dumps(config))
        with pytest.raises(ValueError, match=words):
            import_backbone(source, tmp_path / 'b.pth', 'torchvision')


def test_it_is_said_where_nothing_tells(tmp_path, pooled):
    torch.save(pooled.state_dict(), tmp_path / 'a.pth')
    torch.save(pooled.state_dict(), tmp_path / 'resnet18-f37072fd.pth')
    for project in (None, 'timm'):
        done = import_backbone(
            tmp_path / 'a.pth', tmp_path / 'b.pth', project, force=True
        )
        assert 'resnetblur18' in done.notes[0]
    done = import_backbone(
        tmp_path / 'resnet18-f37072fd.pth', tmp_path / 'c.pth'
    )
    assert not done.notes


def test_it_is_not_said_of_a_width_that_timm_has_not(tmp_path):
    ours = 'mmselfemd://selfemd_r18-w16_scenes_6e'
    done = import_backbone(ours, tmp_path / 'b.pth')
    assert done.architecture['base_channels'] == 16
    assert not done.notes


@torch.no_grad()
def test_plain_network_of_timm_with_pixels_of_its_own(tmp_path):
    network = randomised(timm.create_model('resnet18'))
    network.pretrained_cfg.update(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
    timm.models.save_for_hf(network, tmp_path / 'hub', safe_serialization=True)
    source = tmp_path / 'hub' / 'model.safetensors'
    done = import_backbone(source, tmp_path / 'b.pth')
    assert done.meta['project'] == 'timm' and done.notes == []
    pixels = done.meta['pixel_convention']
    assert (pixels['mean'], pixels['std']) == ([127.5] * 3, [51.0] * 3)
    assert done.meta['style'] == 'pytorch'
    expected = network.forward_intermediates(
        IMAGE, indices=[1, 2, 3, 4], intermediates_only=True
    )
    assert_same(our_maps(done.path), expected)

    config = json.loads((source.parent / 'config.json').read_text())
    config['model_args'] = dict(output_stride=16)
    (source.parent / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r'other settings \(output_stride\)'):
        import_backbone(source, tmp_path / 'c.pth')


@pytest.mark.parametrize(
    ('convention', 'words'),
    [('msra', "'RGB' as its order"), ('torchvision', "'caffe' as its style")],
)
def test_what_contradicts_the_record_is_refused(tmp_path, convention, words):
    weights = {
        f'backbone.{name}': value
        for name, value in randomised(torchvision.models.resnet18())
        .state_dict()
        .items()
    }
    style = 'caffe' if convention == 'torchvision' else 'pytorch'
    cfg = (
        "model = dict(backbone=dict(type='ResNet', depth=18, "
        f"style='{style}'))\n"
        'img_norm_cfg = dict(mean=[1.0, 2.0, 3.0], std=[1.0, 1.0, 1.0], '
        'to_rgb=True)'  # as mmdet 2 has it
    )
    torch.save(
        dict(state_dict=weights, meta=dict(cfg=cfg)), tmp_path / 'a.pth'
    )
    with pytest.raises(ValueError, match=words):
        import_backbone(
            tmp_path / 'a.pth', tmp_path / 'b.pth', convention=convention
        )
    done = import_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert done.meta['style'] == style
    assert done.meta['pixel_convention']['mean'] == [1.0, 2.0, 3.0]


def test_a_config_that_is_none_says_nothing(tmp_path):
    weights = randomised(torchvision.models.resnet18()).state_dict()
    torch.save(weights, tmp_path / 'a.pth')
    for text in ('', '[]', '{"a": 1}', '[' * 100000):
        (tmp_path / 'config.json').write_text(text)
        done = import_backbone(
            tmp_path / 'a.pth', tmp_path / 'b.pth', force=True
        )
        assert done.meta['project'] == 'torchvision'
