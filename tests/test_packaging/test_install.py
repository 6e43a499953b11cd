"""Configs resolve as ``mmselfemd::...`` however the package is installed."""

import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
RECIPE = 'selfemd/selfemd_r50_coco_800e.py'
OFFLINE = ('--no-deps', '--no-index', '--disable-pip-version-check')

# Prints where the package and the inherited config come from.
READ_CHILD = """
import sys, warnings
warnings.simplefilter('ignore')
import mmselfemd
from mmengine.config import Config
cfg = Config.fromfile(sys.argv[1])
print(mmselfemd.__file__)
print(cfg.model.type, cfg.work_dir, cfg.get('mark'))
"""


def run(*command, cwd, **env):
    env = {'PYTHONDONTWRITEBYTECODE': '1', **env}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def checkout(tmp_path_factory):
    """A copy of the tracked files, so that builds leave nothing behind."""
    copy = tmp_path_factory.mktemp('source') / 'checkout'
    listed = run('git', 'ls-files', '-z', cwd=ROOT).split('\0')
    for name in filter(None, listed):
        if not (ROOT / name).is_file():  # removed, not committed yet
            continue
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope='module')
def wheel(checkout, tmp_path_factory):
    folder = tmp_path_factory.mktemp('wheel')
    command = [sys.executable, '-m', 'pip', 'wheel', *OFFLINE]
    command += ['--no-build-isolation', '--wheel-dir', folder, checkout]
    run(*command, cwd=folder)
    (built,) = folder.glob('mmselfemd-*.whl')
    return built


@pytest.fixture
def child(tmp_path):
    """A user's config, somewhere else on the disk."""
    folder = tmp_path / 'elsewhere'
    folder.mkdir()
    config = folder / 'mine.py'
    config.write_text(
        f"_base_ = 'mmselfemd::{RECIPE}'\nwork_dir = 'the_childs'\n"
    )
    return config


def names_in(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {
            name for name in archive.namelist() if '.dist-info' not in name
        }


def test_child_config_loads_from_the_wheel(wheel, child, tmp_path):
    target = tmp_path / 'target'
    command = [sys.executable, '-m', 'pip', 'install', *OFFLINE]
    run(*command, '--target', target, wheel, cwd=tmp_path)
    said = run(
        sys.executable,
        '-c',
        READ_CHILD,
        child,
        cwd=child.parent,
        PYTHONPATH=str(target),
    ).splitlines()
    assert said[-2] == str(target / 'mmselfemd' / '__init__.py')
    assert said[-1] == 'SelfEMD the_childs None'


def test_wheel_carries_what_openmmlab_looks_up(wheel, checkout):
    names = names_in(wheel)
    mim = 'mmselfemd/.mim/'
    assert f'{mim}model-index.yml' in names
    assert f'{mim}tools/train.py' in names
    for config in (checkout / 'configs').rglob('*.*'):
        assert f'{mim}{config.relative_to(checkout)}' in names
    for module in (checkout / 'mmselfemd').rglob('*.py'):
        assert str(module.relative_to(checkout)) in names
    assert 'mmselfemd/results/paper_tables.yml' in names
    for part in ('tools/setup', 'mmcv_'):  # what is for a checkout
        assert not any(part in name for name in names)
    assert all(name.startswith('mmselfemd/') for name in names)


def test_requirements_are_ranges_that_leave_torch_to_the_user(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('/METADATA'))
        metadata = email.message_from_bytes(archive.read(name))
    asked = [Requirement(text) for text in metadata.get_all('Requires-Dist')]
    always = {item.name: item.specifier for item in asked if not item.marker}
    assert not any('==' in str(specifier) for specifier in always.values())
    assert always['torch'].contains('2.6.0')
    assert always['torch'].contains('99.0')
    extras = set(metadata.get_all('Provides-Extra'))
    assert extras == {
        'openmmlab',
        'onedl',
        'tests',
        'analysis',
        'docs',
        'images',
        'lmdb',
        'loggers',
        'safetensors',
        'all',
    }
    assert metadata['Requires-Python'] == '>=3.10'


def test_no_stack_is_installed_over_another(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith('/METADATA'))
        metadata = email.message_from_bytes(archive.read(name))
    asked = [Requirement(text) for text in metadata.get_all('Requires-Dist')]
    stacks = {}
    for item in asked:
        name = item.name.removeprefix('onedl-')
        if name.startswith('mm') or item.name == 'opencv-python':
            (extra,) = re.findall(r'extra == .(\w+)', str(item.marker))
            stacks.setdefault(extra, {})[item.name] = item.specifier
    assert stacks.keys() == {'openmmlab', 'onedl'}
    ours, fork = stacks['openmmlab'], stacks['onedl']
    assert ours.keys() == {'mmdet', 'mmengine', 'mmpretrain'}
    assert not ours['mmdet'].contains('3.4.0')
    assert not ours['mmengine'].contains('0.10.3')
    assert len(fork) == 3 and all(n.startswith('onedl-') for n in fork)


def test_wheel_from_the_source_archive_is_the_same(wheel, checkout, tmp_path):
    code = (
        'import sys; from setuptools import build_meta; '
        'build_meta.build_sdist(sys.argv[1])'
    )
    run(sys.executable, '-c', code, tmp_path, cwd=checkout)
    (archive,) = tmp_path.glob('*.tar.gz')
    command = [sys.executable, '-m', 'pip', 'wheel', *OFFLINE]
    command += ['--no-build-isolation', '--wheel-dir', tmp_path, archive]
    run(*command, cwd=tmp_path)
    (again,) = tmp_path.glob('*.whl')
    assert names_in(again) == names_in(wheel)


@pytest.fixture
def editable(checkout, tmp_path):
    """A Python that sees this one's packages and has the editable install."""
    folder = tmp_path / 'environment'
    venv.create(folder, symlinks=True)
    python = folder / 'bin' / 'python'
    code = 'import sysconfig; print(sysconfig.get_path("purelib"))'
    own = Path(run(python, '-c', code, cwd=tmp_path).strip())
    (own / 'stack.pth').write_text(sysconfig.get_path('purelib') + '\n')
    command = [sys.executable, '-m', 'pip', '--python', python, 'install']
    command += [*OFFLINE, '--no-build-isolation', '--editable', checkout]
    run(*command, cwd=tmp_path, PYTHONPATH='')
    return python


def test_child_config_loads_from_the_editable_install(
    editable, checkout, child
):
    command = (editable, '-c', READ_CHILD, child)
    said = run(*command, cwd=child.parent, PYTHONPATH='').splitlines()
    assert said[-2] == str(checkout / 'mmselfemd' / '__init__.py')
    assert said[-1] == 'SelfEMD the_childs None'
    # It is linked, not copied: an edit in the checkout counts at once.
    with (checkout / 'configs' / RECIPE).open('a') as file:
        file.write("\nmark = 'edited'\n")
    said = run(*command, cwd=child.parent, PYTHONPATH='').splitlines()
    assert said[-1] == 'SelfEMD the_childs edited'
