"""Fixtures shared by the tests."""

import os
import shutil
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT.parent / 'shared' / 'photos'


#: Take many times what others do: all wait for them if they begin late.
LONGEST = 'test_demo_whole', 'test_reproducible_loops.py'


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests; the others keep their order."""

    def place(item: pytest.Item) -> int:
        found = [name in item.nodeid for name in LONGEST]
        return found.index(True) if any(found) else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope='session')
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope='session')
def photos() -> Path:
    """Real photographs, which lie beside the project and not in it."""
    if not PHOTOS.is_dir():
        pytest.skip('../shared/photos with real photographs is absent')
    return PHOTOS


_read_config = Config._file2dict
_configs: dict = {}


def _read_once(filename: str, *args, **kwargs) -> tuple:
    """A config of mmdet takes a second to read, and does not change.

    What tests write themselves is read each time.
    """
    path = os.path.abspath(filename)
    if not (path.startswith(f'{ROOT}/') or 'site-packages' in path):
        return _read_config(filename, *args, **kwargs)
    variables = {  # some configs read them
        item for item in os.environ.items() if not item[0].startswith('PYTEST')
    }
    key = (path, args, *sorted(kwargs.items()), frozenset(variables))
    if key not in _configs:
        _configs[key] = _read_config(filename, *args, **kwargs)
    return deepcopy(_configs[key])


@pytest.fixture(autouse=True)
def configs_are_read_once(monkeypatch):
    """See :func:`_read_once`."""
    monkeypatch.setattr(Config, '_file2dict', staticmethod(_read_once))


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers whichever tests run."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch):
    """Copies of images are kept, however full the disk is."""
    disk = SimpleNamespace(total=2 * 10**11, used=0, free=2 * 10**11)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: disk)


@pytest.fixture
def our_scope():
    """Build configs as a run with default_scope='mmselfemd' does."""
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        yield


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Eight small images of random texture, two of them in a sub-folder."""
    folder = tmp_path / 'images'
    (folder / 'more').mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(8):
        texture = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        name = f'more/{index}.jpg' if index > 5 else f'{index}.jpg'
        cv2.imwrite(str(folder / name), cv2.resize(texture, (160, 120)))
    return folder


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to mmengine's logger, whichever is the current one."""
    lines: list[str] = []
    monkeypatch.setattr(
        MMLogger,
        'handle',
        lambda logger, record: lines.append(record.getMessage()),
    )
    return lines
