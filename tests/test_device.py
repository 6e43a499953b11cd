"""Which device a config can run on."""

import pytest
from mmengine.config import Config
from mmengine.device import utils

from mmselfemd import device
from mmselfemd.engine import launch
from mmselfemd.errors import UserError
from mmselfemd.visualization import detections


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


class HasRun(Exception):
    """Ends a run that has gone far enough."""


@pytest.mark.parametrize('what', ['train', 'test', 'draw_detections'])
def test_what_follows_in_the_same_process_has_the_gpu(what, monkeypatch):
    """A pre-training after a detector, in a notebook say."""
    monkeypatch.setattr(utils, 'DEVICE', 'cuda')
    monkeypatch.setattr(device, 'has_cuda_operators', lambda: False)
    detector = Config(dict(default_scope='mmdet'))

    def run(*args):
        device.keep_detector_off_gpu(detector)
        assert utils.DEVICE == 'cpu'
        raise HasRun

    monkeypatch.setattr(launch, 'load_config', run)
    monkeypatch.setattr(detections, '_build', run)
    calls = dict(
        train=lambda: launch.train('config.py'),
        test=lambda: launch.test('config.py', 'checkpoint.pth'),
        draw_detections=lambda: detections.draw_detections(
            detector, 'checkpoint.pth', [], 'out'
        ),
    )
    with pytest.raises(HasRun):
        calls[what]()
    assert utils.DEVICE == 'cuda'
