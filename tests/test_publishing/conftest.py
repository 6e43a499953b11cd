"""Made-up runs, an index for them, and a server."""

from pathlib import Path

import pytest
from download_server import serving
from finished_demo import make_demo, make_index

ACCURACIES = (0.5, 0.25, 0.3)


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """The root of an index, where the names are looked up."""
    root = tmp_path / 'project'
    make_index(root)
    monkeypatch.setattr('mmselfemd.zoo.index.default_root', lambda: root)
    monkeypatch.delenv('MMSELFEMD_ZOO', raising=False)
    return root


@pytest.fixture
def demos(tmp_path) -> list[Path]:
    """Work directories of three seeds."""
    return [
        make_demo(tmp_path / f'scenes_{seed}', seed, accuracy)
        for seed, accuracy in enumerate(ACCURACIES)
    ]


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server of this machine, and a cache of torch's that is empty."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    with serving() as server:
        yield server
