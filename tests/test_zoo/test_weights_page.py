"""What docs/weights.md says, done."""

import re

import cv2
import numpy as np
import pytest
import torch
import torchvision
import yaml

from mmselfemd.zoo import extract_backbone
from mmselfemd.zoo.extract import FORMATS
from mmselfemd.zoo.pixels import CONVENTIONS


@pytest.fixture(scope='module')
def page(request) -> str:
    root = request.config.rootpath
    return (root / 'docs' / 'weights.md').read_text()


def rows(page: str, first: str) -> dict[str, list[str]]:
    """The table whose first column has this title, by its first cells."""
    table = re.search(
        rf'^\| {first} \|.*\n\| ---.*\n((?:\|.*\n)+)', page, re.M
    )
    found = {}
    for line in table.group(1).splitlines():
        name, *cells = [cell.strip() for cell in line.strip('|').split('|')]
        for each in re.findall('`(.*?)`', name):
            found[each] = cells
    return found


def test_tables_are_whole(page):
    assert set(rows(page, '`--to`')) == set(FORMATS)


def test_conventions_are_those_of_the_code(page):
    table = rows(page, '`--convention`')
    assert set(table) == set(CONVENTIONS)
    for name, (order, mean, std, stride, _) in table.items():
        pixels = CONVENTIONS[name]['pixel_convention']
        assert order == pixels['channel_order']
        assert [float(value) for value in mean.split(',')] == pixels['mean']
        assert [float(value) for value in std.split(',')] == pixels['std']
        caffe = CONVENTIONS[name]['style'] == 'caffe'
        assert stride == ('first 1x1' if caffe else '3x3')


def test_settings_of_detectron2_are_those_of_our_configs(page):
    (block,) = re.findall(r'```yaml\n(.*?)```', page, re.S)
    settings = yaml.safe_load(block)
    pixels = CONVENTIONS['torchvision']['pixel_convention']
    assert settings['INPUT']['FORMAT'] == pixels['channel_order']
    assert settings['MODEL']['PIXEL_MEAN'] == pixels['mean']
    assert settings['MODEL']['PIXEL_STD'] == pixels['std']
    assert settings['MODEL']['RESNETS']['STRIDE_IN_1X1'] is False


@pytest.fixture
def exported(tmp_path):
    """A pre-training's ResNet-50, written for each that the page reads."""
    net = torchvision.models.resnet50()
    net.fc = torch.nn.Identity()
    pixels = CONVENTIONS['torchvision']['pixel_convention']
    cfg = (
        f'data_preprocessor = dict(mean={pixels["mean"]}, '
        f'std={pixels["std"]}, to_rgb=True)'
    )
    weights = {f'backbone.{k}': v for k, v in net.state_dict().items()}
    run = tmp_path / 'epoch_800.pth'
    torch.save(dict(state_dict=weights, meta=dict(cfg=cfg)), run)
    extract_backbone(run, tmp_path / 'backbone.pth')
    for to in ('timm', 'torchvision'):
        extract_backbone(run, tmp_path / f'backbone_{to}.pth', to)
    return net.eval()


def test_python_blocks_run(page, exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('photo.jpg', np.zeros((64, 96, 3), np.uint8))
    blocks = re.findall(r'```python\n(.*?)```', page, re.S)
    assert len(blocks) == 2
    names = {}
    for block in blocks:
        exec(block, names)
    for name, value in exported.state_dict().items():
        assert torch.equal(names['net'].state_dict()[name], value)
    assert "'C2': (256, 16, 24)" in capsys.readouterr().out
