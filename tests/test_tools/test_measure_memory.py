"""Workers share the list of images, and do not grow over an epoch."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import torch

from mmselfemd.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / 'tools/analysis_tools/measure_memory.py'
CONFIG = ROOT / 'configs/selfemd/selfemd_r50_coco_800e.py'
NUM_PATHS = 300_000

pytestmark = pytest.mark.skipif(
    not os.path.exists('/proc/self/smaps_rollup'),
    reason='Linux alone tells what a process shares',
)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('measure_memory', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_tool(tool, tmp_path, image_folder, monkeypatch, capsys):
    out = tmp_path / 'new' / 'memory.json'
    command = [str(TOOL), str(CONFIG), '--data', str(image_folder)]
    command += ['--paths', str(NUM_PATHS), '--images', '320']
    monkeypatch.setattr(sys, 'argv', [*command, '--json', str(out)])
    tool.main()
    results = json.loads(out.read_text())
    lists = results['bytes_a_path']
    # A path of 16 bytes below the root, and 8 for its place.
    assert 24 <= lists['ours']['kept'] < 30
    assert lists['ours']['peak'] < lists['mmengine']['peak'] / 3
    # The proof that the measurement sees it: each str is written to.
    assert lists['list of str']['growth_of_a_worker'] > 50
    assert lists['ours']['growth_of_a_worker'] < 8
    epoch = results['mib_of_a_worker']
    assert list(epoch) == ['10%', '50%', '100%']
    assert 0 < epoch['100%']['private'] < epoch['100%']['resident']
    assert epoch['100%']['private'] < epoch['50%']['private'] + 8
    assert f'{epoch["100%"]["resident"]:.1f}' in capsys.readouterr().out


def test_a_missing_folder_is_named(tool, tmp_path, monkeypatch):
    missing = str(tmp_path / 'nowhere')
    monkeypatch.setattr(
        sys, 'argv', [str(TOOL), str(CONFIG), '--data', missing]
    )
    with pytest.raises(UserError, match=missing):
        tool.main()


def test_without_a_worker_there_is_nothing_to_measure(tool, monkeypatch):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), str(CONFIG), '--workers=0'])
    with pytest.raises(UserError, match='--workers 0: at least 1'):
        tool.main()
