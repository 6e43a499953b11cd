"""One stack of OpenMMLab's is needed, whole and alone; transformers is not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmselfemd import stack
from mmselfemd.errors import UserImportError

ROOT = Path(__file__).resolve().parents[1]


def python(code, *folders):
    """Run code with folders ahead of what is installed."""
    path = os.pathsep.join(map(str, [*folders, ROOT]))
    return subprocess.run(
        [sys.executable, '-c', code],
        env=os.environ | dict(PYTHONPATH=path, OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )


def distribution(folder, name, version):
    """What pip leaves of a package for those who ask for its name."""
    info = folder / f'{name.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
    )


def test_two_stacks_are_refused_with_what_to_type(tmp_path):
    here = stack.installed_stacks()
    (other,) = {'openmmlab', 'onedl'} - here.keys()
    name = dict(openmmlab='mmengine', onedl='onedl-mmengine')[other]
    distribution(tmp_path, name, '0.10.12')
    done = python('import mmselfemd', tmp_path)
    assert done.returncode == 1
    message = done.stderr.partition('UserImportError: ')[2]
    installed = next(iter(here.values()))
    assert all(each in message for each in [name, *installed])
    assert 'pip uninstall -y' in message
    for lines in stack._INSTALL.values():
        assert all(line in message for line in lines)
    assert 'During handling' not in done.stderr


@pytest.fixture
def environment(monkeypatch):
    """Pretend that these modules and distributions are all there is."""

    def pretend(modules, distributions):
        monkeypatch.setattr(
            stack, 'find_spec', lambda name: name in modules or None
        )
        monkeypatch.setattr(
            stack, '_is_installed', lambda name: name in distributions
        )

    return pretend


def test_without_any_stack_both_are_offered(environment):
    environment([], [])
    with pytest.raises(
        UserImportError, match='mmengine, mmcv, mmdet'
    ) as error:
        stack.check_stack()
    for lines in stack._INSTALL.values():
        assert all(line in str(error.value) for line in lines)


@pytest.mark.parametrize(
    'installed, offered',
    [
        (['mmengine', 'mmdet', 'mmpretrain'], 'openmmlab'),
        (['onedl-mmengine', 'onedl-mmdetection'], 'onedl'),
    ],
)
def test_what_is_missing_comes_from_the_stack_that_is_there(
    environment, installed, offered
):
    environment(['mmengine', 'mmdet', 'mmpretrain'], installed)
    with pytest.raises(UserImportError, match='; mmcv cannot be') as error:
        stack.check_stack()
    for name, lines in stack._INSTALL.items():
        for line in lines:
            assert (line in str(error.value)) == (name == offered)


@pytest.mark.parametrize(
    'installed',
    [
        ['mmengine', 'mmcv', 'mmdet', 'mmpretrain'],
        [f'onedl-{n}' for n in ('mmengine', 'mmcv', 'mmdetection')],
        [],  # sources on the path, without metadata
    ],
)
def test_one_whole_stack_is_enough(environment, installed):
    environment(['mmengine', 'mmcv', 'mmdet', 'mmpretrain'], installed)
    stack.check_stack()


# What mmpretrain 1.2 asks of transformers and gets of 5, but for
# transformers.modeling_utils and its like, where it then fails.
STAND_IN = """
from transformers.base import Base

def __getattr__(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return Base if name == '_BaseAutoModelClass' else type(name, (Base,), {})
"""
BASE = """
class Base:
    from_pretrained = from_config = None
"""
IMPORT_OURS = """
import mmselfemd.models, mmselfemd.datasets
from mmselfemd.registry import MODELS
assert MODELS.get('mmpretrain.ResNet') and MODELS.get('mmpretrain.BYOL')
"""


@pytest.fixture
def transformers(tmp_path):
    """A folder with a stand-in for transformers 5."""
    for package in ('transformers', 'models', 'auto'):
        tmp_path = tmp_path / package
        tmp_path.mkdir()
        (tmp_path / '__init__.py').write_text(STAND_IN)
    (tmp_path / 'auto_factory.py').write_text(STAND_IN)
    folder = tmp_path.parents[2]
    (folder / 'transformers' / 'base.py').write_text(BASE)
    distribution(folder, 'transformers', '5.23.0')
    return folder


def test_newer_transformers_does_no_harm(transformers):
    done = python(IMPORT_OURS, transformers)
    assert done.returncode == 0, done.stderr


def test_newer_transformers_still_breaks_mmpretrain_itself(transformers):
    """When it does no more, `leave_out_multimodal` has had its time."""
    if 'openmmlab' not in stack.installed_stacks():
        pytest.skip('the fork asks for names that are there')
    done = python('import mmpretrain.models', transformers)
    assert 'NoneType takes no arguments' in done.stderr
