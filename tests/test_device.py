"""Which device a config can run on."""

import pytest
from mmengine.config import Config
from mmengine.device import utils

from mmselfemd import device
from mmselfemd.errors import UserError


def test_a_detector_keeps_off_a_gpu_without_operators(monkeypatch):
    monkeypatch.setattr(utils, 'DEVICE', 'cuda')
    monkeypatch.setattr(device, 'has_cuda_operators', lambda: False)
    device.keep_detector_off_gpu(Config(dict(default_scope='mmselfemd')))
    assert utils.DEVICE == 'cuda'
    with pytest.raises(UserError, match='nvcc'):
        device.keep_detector_off_gpu(
            Config(dict(default_scope='mmdet', launcher='pytorch'))
        )
    device.keep_detector_off_gpu(Config(dict(default_scope='mmdet')))
    assert utils.DEVICE == 'cpu'
    monkeypatch.setattr(utils, 'DEVICE', 'cuda')
    monkeypatch.setattr(device, 'has_cuda_operators', lambda: True)
    device.keep_detector_off_gpu(Config(dict(default_scope='mmdet')))
    assert utils.DEVICE == 'cuda'
