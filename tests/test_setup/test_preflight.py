"""Each thing that a machine may lack has one clear line."""

import shutil
import sys
from collections import namedtuple

import preflight
import pytest
from errors import SetupError

Usage = namedtuple('Usage', 'total used free')


def path_with(folder, *programs):
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program))
    return str(folder)


def test_no_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv('CXX', raising=False)
    monkeypatch.setenv('PATH', path_with(tmp_path / 'bin', 'git'))
    with pytest.raises(SetupError, match=r'^No C\+\+17 compiler: `c\+\+`'):
        preflight.check_programs()


def test_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv('PATH', path_with(tmp_path / 'bin'))
    with pytest.raises(SetupError, match='^git does not run'):
        preflight.check_programs()


def test_programs_of_this_machine_suffice():
    assert preflight.check_programs() is None


@pytest.fixture
def one_disk(tmp_path, monkeypatch):
    """All folders on one file system, with room that the test sets."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(
        preflight.tempfile, 'gettempdir', lambda: str(tmp_path)
    )

    def with_free(gigabytes):
        monkeypatch.setattr(
            preflight.shutil,
            'disk_usage',
            lambda _: Usage(0, 0, gigabytes * 1e9),
        )

    return with_free


def test_needs_of_one_disk_add_up(tmp_path, one_disk):
    total = sum(preflight.GIGABYTES.values())
    one_disk(total + 0.1)
    preflight.check_disk(tmp_path / '.venv')
    one_disk(total - 0.1)
    with pytest.raises(SetupError, match='^Too little disk') as error:
        preflight.check_disk(tmp_path / '.venv')
    assert f'{total - 0.1:.1f} GB free' in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_what_is_installed_already_is_not_asked_for(
    tmp_path, one_disk, monkeypatch
):
    one_disk(sum(preflight.GIGABYTES.values()) - 2)
    monkeypatch.setattr(preflight, 'size_of', lambda _: 3.0)
    assert preflight.check_disk(tmp_path / '.venv') is None


def test_each_disk_is_asked_for_its_own_share(tmp_path, one_disk, monkeypatch):
    """The checkout's disk is roomy, the others' is full."""
    monkeypatch.setattr(
        preflight.shutil,
        'disk_usage',
        lambda folder: Usage(0, 0, 1e12 if folder == tmp_path else 0),
    )
    roomy = preflight.existing(tmp_path / 'new' / 'checkout')
    assert roomy == tmp_path
    other = next(
        (
            folder
            for folder in map(preflight.Path, ('/dev/shm', '/proc'))
            if folder.is_dir()
            and folder.stat().st_dev != tmp_path.stat().st_dev
        ),
        None,
    )
    if other is None:
        pytest.skip('this machine has one file system only')
    monkeypatch.setattr(preflight, 'cache_folder', lambda: other)
    with pytest.raises(SetupError, match=r'3\.5 GB .*\(the cache\)'):
        preflight.check_disk(tmp_path / '.venv')


def test_no_network(monkeypatch):
    for name in ('PIP_EXTRA_INDEX_URL', 'PIP_FIND_LINKS', 'PIP_NO_INDEX'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('PIP_CONFIG_FILE', '/dev/null')
    monkeypatch.setenv('PIP_INDEX_URL', 'http://127.0.0.1:9/simple')
    with pytest.raises(SetupError, match='^No network: .*iniconfig==') as hit:
        preflight.check_network(sys.executable, 'iniconfig==2.3.1')
    assert len(str(hit.value).splitlines()) == 1
