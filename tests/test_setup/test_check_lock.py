"""The lock, and the check that an environment is what it says."""

import re
import subprocess
import sys
from pathlib import Path

import check_lock
import numpy as np
import pytest
import stacks
from packaging.requirements import Requirement

REQUIREMENTS = Path(__file__).resolve().parents[2] / 'requirements'


def entries(name):
    lines = (REQUIREMENTS / name).read_text().splitlines()
    texts = (line.partition('#')[0].strip() for line in lines)
    return [Requirement(text) for text in texts if text]


@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12'])
def test_lock_gives_one_exact_version_on_each_python(version):
    machine = {
        'python_version': version,
        'python_full_version': f'{version}.4',
        'sys_platform': 'linux',
    }
    chosen = {}
    for entry in entries('lock.txt'):
        assert re.fullmatch('==[^*]+', str(entry.specifier)), entry
        if entry.marker is None or entry.marker.evaluate(machine):
            name = check_lock.canonical(entry.name)
            assert name not in chosen
            chosen[name] = str(entry.specifier)[2:]
    for entry in entries('lock.in'):
        if entry.marker is not None and not entry.marker.evaluate(machine):
            continue  # Sphinx 8.2 asks for Python 3.11
        assert entry.specifier.contains(chosen[entry.name.lower()])
    assert chosen['numpy'].startswith('1.')
    assert 'opencv-python' not in chosen


def test_this_environment_is_what_the_lock_says():
    fork = 'onedl-mmengine' in check_lock.installed_versions()
    stack = stacks.STACKS['onedl' if fork else 'openmmlab']
    locks = [REQUIREMENTS / name for name in (stack.lock, stack.mmcv)]
    done = subprocess.run(
        [sys.executable, check_lock.__file__, *locks],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, ''), done.stderr


def test_other_and_missing_versions_are_named():
    locked = {'torch': '2.11.0', 'numpy': '1.26.4', 'pot': '0.9.7'}
    installed = {'torch': '2.11.0+cu130', 'numpy': '2.0.0'}
    assert check_lock.differences(locked, installed) == [
        'numpy is 2.0.0, but 1.26.4 is locked',
        'pot 0.9.7 is locked, but not installed',
    ]


def install(folder, name, version, *requires):
    info = folder / f'{name}-{version}.dist-info'
    info.mkdir(parents=True)
    lines = ['Metadata-Version: 2.1', f'Name: {name}', f'Version: {version}']
    lines += [f'Requires-Dist: {text}' for text in requires]
    (info / 'METADATA').write_text('\n'.join(lines) + '\n')


def test_second_opencv_is_found(tmp_path, monkeypatch):
    install(tmp_path, 'opencv_python', '4.13.0')
    (tmp_path / 'cut_off-1.0.dist-info').mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    versions = check_lock.installed_versions()
    (problem,) = check_lock.clashes(versions, versions)
    assert problem.startswith('opencv-python 4.13.0')


def test_the_other_stack_is_found():
    ours = {'mmengine': '0.10.7', 'mmcv': '2.1.0'}
    fork = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6'}
    assert check_lock.clashes(ours, ours) == []
    assert check_lock.clashes(fork, fork) == []
    for locked, others in ((ours, fork), (fork, ours)):
        found = check_lock.clashes(locked, ours | fork)
        assert [text.split()[0] for text in found] == list(others)


def test_unmet_dependencies_are_found(tmp_path, monkeypatch):
    install(
        tmp_path,
        'thing',
        '1.0',
        'no-such-package>=2',
        'numpy>=99',
        'never-asked-for; extra == "all"',
    )
    monkeypatch.syspath_prepend(tmp_path)
    problems = check_lock.unmet(check_lock.installed())
    assert len(problems) == 2
    assert problems[0].startswith('thing asks for no-such-package')
    assert problems[1].startswith(
        f'thing asks for numpy>=99, found {np.__version__}'
    )


def test_a_stand_in_is_held_against_what_is_asked_for(tmp_path, monkeypatch):
    for name, asked in (('old', '>=3'), ('new', '>=99')):
        install(tmp_path, name, '1.0', f'opencv-python{asked}')
    monkeypatch.syspath_prepend(tmp_path)
    (problem,) = check_lock.unmet(check_lock.installed())
    assert problem.startswith('new asks for opencv-python>=99, found 4.')


def test_stand_ins_are_still_needed():
    """One whose reason has gone must go, too."""
    packages = check_lock.installed()
    asked = {
        check_lock.canonical(Requirement(text).name)
        for package in packages.values()
        for text in package.requires or ()
    }
    for name, other in check_lock.STAND_INS.items():
        assert name in asked
        assert name not in packages
        assert other in packages
