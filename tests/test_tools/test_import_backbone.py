"""tools/model_converters/import_backbone.py, run as a user runs it."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest
import torch
import torchvision
from forked_scripts import run_script
from mmdet.models.data_preprocessors import DetDataPreprocessor

from mmselfemd.zoo.conventions import check_pixel_convention

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'import_backbone.py'


def run(*arguments) -> CompletedProcess:
    return run_script(
        TOOL,
        *arguments,
    )


@pytest.fixture
def moco(tmp_path):
    """A small file in the layout of MoCo's."""
    network = torchvision.models.resnet18(num_classes=5)
    weights = {
        f'module.{encoder}.{name}': value
        for encoder in ('encoder_q', 'encoder_k')
        for name, value in network.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }
    weights['module.queue'] = torch.ones(2, 3)
    torch.save(dict(state_dict=weights), tmp_path / 'moco.pth.tar')
    return tmp_path / 'moco.pth.tar'


def test_tool_says_what_became_of_each_tensor(tmp_path, moco):
    out = tmp_path / 'new' / 'backbone.pth'
    done = run(moco, out)
    assert done.returncode == 0, done.stderr
    for line in (
        'recognised: a checkpoint of MoCo v1 or v2',
        'module.encoder_q.layer1.0.bn2.weight -> layer1.0.bn2.weight',
        f'{out}: type=ResNet, depth=18, stem_channels=64, base_channels=64',
        'mapped: 100 tensors',
        'left: 105 tensors: module.encoder_q (2), module.encoder_k (102), '
        'module.queue (1)',
        "pixels: {'channel_order': 'RGB', 'mean': [123.675, 116.28, 103.53], "
        "'std': [58.395, 57.12, 57.375]}",
        'style: pytorch',
    ):
        assert line in done.stdout.splitlines()
    assert 'missing: 20 tensors' in done.stdout  # batch counters
    written = torch.load(out, weights_only=True)
    assert len(written['state_dict']) == 100

    again = run(moco, out)
    assert again.returncode == 2 and '--force' in again.stderr
    assert run(moco, out, '--force').returncode == 0


def test_wrong_project_is_one_line(tmp_path, moco):
    done = run(moco, tmp_path / 'other.pth', '--from', 'pixpro')
    assert done.returncode == 2
    assert 'files of pixpro; without --from' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'other.pth').exists()


def test_a_detector_takes_it_and_a_wrong_pixel_order_is_caught(tmp_path, moco):
    """The hook of the detection configs reads what the tool records."""
    assert run(moco, tmp_path / 'b.pth').returncode == 0
    loaded = torch.load(tmp_path / 'b.pth', weights_only=True)
    pixels = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])
    right = DetDataPreprocessor(bgr_to_rgb=True, **pixels)
    check_pixel_convention(loaded, right, 'b.pth')
    wrong = DetDataPreprocessor(bgr_to_rgb=False, **pixels)
    with pytest.raises(ValueError, match='RGB'):
        check_pixel_convention(loaded, wrong, 'b.pth')
