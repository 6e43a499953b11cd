"""Backbones of libraries that the lock lacks, written and read by them.

By the names and shapes that they wrote once, always; by the libraries
themselves where LIBRARIES_PYTHON names a Python that has them
(CONTRIBUTING.md, "Other libraries").
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torchvision_networks import assert_same, our_maps, randomised

from mmselfemd import extract_features
from mmselfemd.zoo import extract_backbone
from mmselfemd.zoo.import_backbone import import_backbone

HERE = Path(__file__).parent
PYTHON = os.environ.get('LIBRARIES_PYTHON')
REAL = pytest.mark.skipif(
    not PYTHON, reason='LIBRARIES_PYTHON names no Python with the libraries'
)
NAMES = sorted((HERE / 'names').glob('*.json'))


def run_library(*arguments: object) -> None:
    done = subprocess.run(
        [PYTHON, HERE / 'real_libraries.py', *map(str, arguments)],
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if k != 'PYTHONPATH'},
    )
    assert done.returncode == 0, done.stderr[-4000:]


def with_image(folder: Path) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    np.save(folder / 'image.npy', image)
    return image


def maps_of(folder: Path) -> list[torch.Tensor]:
    return [
        torch.from_numpy(m[0]) for m in np.load(folder / 'maps.npz').values()
    ]


def assert_reads(path: Path, image: np.ndarray, expected: list) -> None:
    (found,) = extract_features([image], path)
    assert_same(list(found.values()), expected)


@pytest.mark.parametrize('path', NAMES, ids=lambda path: path.stem)
def test_names_are_recognised(tmp_path, path):
    shapes = json.loads(path.read_text())
    weights = {
        name: 0.1 * torch.rand(shape) if shape else torch.tensor(0)
        for name, shape in shapes.items()
    }
    torch.save(dict(state_dict=weights), tmp_path / 'a.ckpt')
    done = import_backbone(tmp_path / 'a.ckpt', tmp_path / 'b.pth')
    project = path.stem.rsplit('_', 1)[0]
    if project == 'lightly-train-export':
        project = 'torchvision'
    assert done.meta['project'] == project and done.missing == []
    assert all(m.isfinite().all() for m in our_maps(done.path))


def test_names_of_all_libraries_are_there():
    assert {path.stem.split('_')[0] for path in NAMES} == {
        *('transformers', 'lightly', 'lightly-train', 'lightly-train-export')
    }


@REAL
@torch.no_grad()
@pytest.mark.parametrize('kind', ['18', '50', '50-caffe', '50-stride'])
def test_transformers(tmp_path, kind):
    image = with_image(tmp_path)
    run_library('write', f'transformers-{kind}', tmp_path)
    done = import_backbone(
        tmp_path / 'model.safetensors', tmp_path / 'new' / 'b.pth'
    )
    assert 'transformers' in done.recognised
    assert_reads(done.path, image, maps_of(tmp_path))


@REAL
@torch.no_grad()
def test_lightly(tmp_path):
    image = with_image(tmp_path)
    run_library('write', 'lightly', tmp_path)
    done = import_backbone(tmp_path / 'last.ckpt', tmp_path / 'b.pth')
    assert done.meta['project'] == 'lightly'
    assert_reads(done.path, image, maps_of(tmp_path))


@REAL
@torch.no_grad()
@pytest.mark.parametrize(
    ('file', 'words'),
    [
        ('exported_models/exported_last.pt', 'lightly-train'),
        ('checkpoints/last.ckpt', 'lightly-train'),
    ],
)
def test_lightly_train(tmp_path, file, words, lightly_train_run):
    folder, image = lightly_train_run
    done = import_backbone(folder / 'out' / file, tmp_path / 'b.pth')
    assert words in done.recognised
    assert_reads(done.path, image, maps_of(folder))


@pytest.fixture(scope='module')
def lightly_train_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp('lightly_train')
    image = with_image(folder)
    run_library('write', 'lightly-train', folder)
    yield folder, image
    shutil.rmtree(folder)


@REAL
@torch.no_grad()
@pytest.mark.parametrize(
    ('name', 'style'),
    [('resnet18', 'pytorch'), ('resnet50', 'pytorch'), ('resnet50', 'caffe')],
)
def test_transformers_reads_what_is_exported(tmp_path, name, style):
    network = randomised(getattr(torchvision.models, name)())
    weights = {
        f'backbone.{k}': v
        for k, v in network.state_dict().items()
        if not k.startswith('fc.')
    }
    pixels = dict(
        channel_order='RGB',
        mean=[120.0, 110.0, 100.0],
        std=[60.0, 50.0, 40.0],
    )
    meta = dict(pixel_convention=pixels, style=style)
    torch.save(dict(state_dict=weights, meta=meta), tmp_path / 'a.pth')
    folder = extract_backbone(
        tmp_path / 'a.pth', tmp_path / 'hf', 'transformers'
    ).path
    image = with_image(folder)
    run_library('read', 'transformers', folder)
    assert_reads(tmp_path / 'a.pth', image, maps_of(folder))
