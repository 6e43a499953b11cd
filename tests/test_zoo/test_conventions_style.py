"""Strides in other places than the weights were trained with."""

import mmpretrain.models
import pytest
from mmdet.models import ResNet, ResNeXt
from mmdet.models.roi_heads.shared_heads import ResLayer
from torch import nn

from mmselfemd.errors import UserError
from mmselfemd.zoo.conventions import check_style, warn_of_other_strides

PLAIN = dict(strides=[1, 2, 2, 2], dilations=[1, 1, 1, 1])
DILATED = dict(strides=[1, 2, 2, 1], dilations=[1, 1, 1, 2])
UNHALVED = dict(strides=[1, 2, 2, 1], dilations=[1, 1, 1, 1])
CFG = """
model = dict(backbone=dict(
    depth=18, strides=(1, 2, 2, 1), style='caffe', type='mmpretrain.ResNet'))
data_preprocessor = dict(mean=[0.0], std=[1.0])
"""


def warned(checkpoint, parts, logged):
    """The lines that it logs; building networks logs others."""
    logged.clear()
    warn_of_other_strides(checkpoint, parts, 'a.pth')
    return list(logged)


@pytest.mark.parametrize('trained', ['pytorch', 'caffe'])
@pytest.mark.parametrize('given', ['pytorch', 'caffe'])
def test_styles_that_differ_are_refused(trained, given):
    backbone = ResNet(depth=50, style=given, base_channels=4)
    checkpoint = dict(meta=dict(style=trained))
    if trained == given:
        check_style(checkpoint, backbone, 'a.pth')
    else:
        with pytest.raises(UserError, match=f'a.pth.*style={trained!r}'):
            check_style(checkpoint, backbone, 'a.pth')


@pytest.mark.parametrize(
    'checkpoint', [{}, dict(meta=None), dict(meta={}), nn.Linear(1, 1)]
)
def test_what_records_nothing_passes(checkpoint):
    check_style(checkpoint, ResNet(depth=18, base_channels=4), 'a.pth')


def test_a_network_without_styles_passes():
    check_style(dict(meta=dict(style='caffe')), nn.Identity(), 'a.pth')


def test_a_pretraining_checkpoint_as_it_is_tells_its_style():
    with pytest.raises(UserError, match="style='caffe'"):
        check_style(
            dict(meta=dict(cfg=CFG)), ResNet(50, base_channels=4), 'a.pth'
        )


@pytest.mark.parametrize('given', [PLAIN, DILATED, UNHALVED])
@pytest.mark.parametrize('trained', [PLAIN, DILATED, UNHALVED])
@pytest.mark.parametrize(
    'network',
    [
        lambda **layout: ResNet(18, base_channels=4, **layout),
        lambda **layout: ResNeXt(
            depth=50, base_channels=4, groups=4, base_width=4, **layout
        ),
        lambda **layout: mmpretrain.models.ResNetV1d(
            depth=50, base_channels=4, stem_channels=8, **layout
        ),
    ],
)
def test_other_strides_are_a_warning(network, trained, given, logged):
    lines = warned(dict(meta=trained), [network(**given)], logged)
    if trained == given:
        assert lines == []
        return
    (line,) = lines
    for layout in (trained, given):
        assert f'strides={layout["strides"]} and ' in line
        assert f'dilations={layout["dilations"]} in its' in line or (
            f'dilations={layout["dilations"]}: ' in line
        )
    assert f'model.backbone.strides={trained["strides"]}' in line
    assert f'model.backbone.dilations={trained["dilations"]}' in line


@pytest.mark.parametrize('stride', [1, 2])
def test_of_a_c4_detector_the_shared_head_counts(stride, logged):
    backbone = ResNet(
        18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1,) * 3,
        out_indices=(2,),
    )
    parts = [backbone, ResLayer(18, stride=stride)]
    lines = warned(dict(meta=PLAIN), parts, logged)
    assert len(lines) == (stride == 1)
    assert warned(dict(meta=PLAIN), parts[:1], logged) == []


def test_a_pretraining_checkpoint_as_it_is_tells_its_strides(logged):
    checkpoint = dict(meta=dict(cfg=CFG))
    (line,) = warned(checkpoint, [ResNet(18, base_channels=4)], logged)
    assert 'strides=[1, 2, 2, 1]' in line


@pytest.mark.parametrize(
    'network',
    [
        mmpretrain.models.MobileNetV2(),
        mmpretrain.models.ConvNeXt(),
        nn.Identity(),
    ],
    ids=lambda network: type(network).__name__,
)
@pytest.mark.parametrize('given', ['type', 'nothing'])
def test_networks_of_other_kinds_have_no_strides_to_compare(
    network, given, logged
):
    kind = type(network).__name__
    cfg = CFG.replace('mmpretrain.ResNet', f'mmpretrain.{kind}')
    meta = dict(cfg=cfg) if given == 'type' else {}
    assert warned(dict(meta=meta), [network], logged) == []


@pytest.mark.parametrize('strides', [3, [], [1, 2, 2, 0], [1, 2, 'x', 2]])
def test_strides_that_cannot_be_are_refused(strides):
    checkpoint = dict(meta=dict(PLAIN, strides=strides))
    with pytest.raises(UserError, match=r'meta\.strides is broken'):
        warn_of_other_strides(checkpoint, [ResNet(18)], 'a.pth')
