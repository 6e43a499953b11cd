"""Strides in another convolution than the weights were trained with."""

import pytest
from mmdet.models import ResNet
from torch import nn

from mmselfemd.engine.backbone_style import check_style
from mmselfemd.errors import UserError


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
