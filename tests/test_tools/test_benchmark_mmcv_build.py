"""tools/analysis_tools/benchmark_mmcv_build.py, with builds that are none."""

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import mmcv
import pytest
import torch

from mmselfemd.errors import UserError

TOOLS = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def tool(monkeypatch):
    # It puts the set-up's modules there, too.
    monkeypatch.setattr(sys, 'path', [*sys.path])
    path = TOOLS / 'benchmark_mmcv_build.py'
    spec = importlib.util.spec_from_file_location('mmcv_benchmark', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(
        module.mmcv_wheel, 'ask_torch', lambda python: ('2', None, False)
    )
    return module


def pack_installed(python, requirement, ops, folder, together):
    """As a build: the installed mmcv as a wheel, in more time or less."""
    loop = f'sum(range({1 if together else 10_000_000}))'
    subprocess.run([python, '-c', loop], check=True)
    folder.mkdir(parents=True)
    wheel = folder / 'mmcv-0.0.1.whl'
    installed = Path(mmcv.__file__).parent
    with zipfile.ZipFile(wheel, 'w') as file:
        for path in [*installed.rglob('*.py'), *installed.glob('*.so')]:
            file.write(path, path.relative_to(installed.parent))
    return wheel


def test_both_ways_are_built_and_compared(tool, tmp_path, monkeypatch, capsys):
    out = tmp_path / 'new' / 'out.json'
    monkeypatch.setattr(tool.mmcv_build, 'build', pack_installed)
    # Both are the same mmcv: what one holds is found out once.
    found, operators_of = {}, tool.operators_of
    monkeypatch.setattr(
        tool,
        'operators_of',
        lambda wheel: found or found.update(operators_of(wheel)) or found,
    )
    monkeypatch.setattr('sys.argv', ['tool', f'--json={out}'])
    tool.main()
    figures = json.loads(out.read_text())
    assert figures['operators_equal'] is True
    assert figures['operators'] > 100
    seconds = {
        way: found['processor_seconds']
        for way, found in figures['ways'].items()
    }
    assert figures['processor_time_ratio'] == (
        seconds['files'] / seconds['units']
    )
    assert seconds['files'] > seconds['units'] > 0
    results = figures['results']
    for name in ('nms', 'roi_align, avg', 'deform_conv'):
        assert results[name] is True
    if not torch.cuda.is_available():
        assert results['sigmoid_focal_loss'] == 'not for this device'
    assert 'equal.' in capsys.readouterr().out


def found(**changes):
    same = dict(nms=[torch.arange(3.0)], focal_loss='none for the CPU')
    return dict(names=['focal_loss', 'nms'], results=same) | changes


@pytest.mark.parametrize(
    'changes',
    [
        dict(names=['nms']),
        dict(results=dict(found()['results'], nms=[torch.arange(3.0) + 1e-7])),
        dict(results=dict(found()['results'], nms='it fails')),
        dict(results=dict(found()['results'], focal_loss='another reason')),
    ],
)
def test_builds_that_differ_are_not_equal(tool, changes):
    assert tool.compare(found(), found())['operators_equal']
    assert not tool.compare(found(), found(**changes))['operators_equal']


def test_a_build_that_fails_is_one_line(tool, tmp_path, monkeypatch):
    def fail(*_):
        raise tool.SetupError('no compiler')

    monkeypatch.setattr(tool.mmcv_build, 'build', fail)
    with pytest.raises(UserError, match='no compiler'):
        tool.build(tmp_path / 'room', together=True)
