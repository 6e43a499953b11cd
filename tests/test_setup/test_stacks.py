"""STACK=onedl: another lock, another mmcv, in a folder of their own."""

import subprocess
import sys
from pathlib import Path

import mmcv_build
import mmcv_wheel
import pytest
import stacks

ROOT = Path(__file__).resolve().parents[2]


def test_stack_is_openmmlabs_unless_named(monkeypatch):
    for name, expected in (('', 'openmmlab'), ('onedl', 'onedl')):
        monkeypatch.setenv('STACK', name)
        assert stacks.chosen() == stacks.STACKS[expected]
    monkeypatch.delenv('STACK')
    assert stacks.chosen().venv == '.venv'


def test_unknown_stack_is_refused_in_a_line(monkeypatch):
    monkeypatch.setenv('STACK', 'mim')
    with pytest.raises(SystemExit, match='STACK=mim is none of openmmlab, o'):
        stacks.chosen()


def test_stacks_share_no_file():
    fields = [vars(stack).values() for stack in stacks.STACKS.values()]
    assert len({value for values in fields for value in values}) == 6
    for stack in stacks.STACKS.values():
        assert (ROOT / 'requirements' / stack.lock).is_file()
        assert (ROOT / 'requirements' / stack.mmcv).is_file()


@pytest.mark.parametrize('stack', stacks.STACKS)
def test_make_uses_the_environment_that_the_set_up_makes(stack):
    said = subprocess.run(
        ['make', '-n', 'test', f'STACK={stack}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"STACK='{stack}' sh tools/setup/setup.sh" in said
    assert f' {stacks.STACKS[stack].venv}/bin/python -m pytest' in said


def test_the_forks_archive_and_wheel_are_found(tmp_path):
    command = mmcv_build.download_command(
        Path(sys.executable), 'onedl-mmcv==2.3.6', tmp_path
    )
    assert command[command.index('--no-binary') + 1] == 'onedl-mmcv'
    assert mmcv_wheel.cached(tmp_path) is None
    wheel = tmp_path / 'onedl_mmcv-2.3.6-cp311-cp311-linux_x86_64.whl'
    wheel.touch()
    assert mmcv_wheel.cached(tmp_path) == wheel
