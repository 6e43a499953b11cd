"""The set-up as a whole: which Python, when it runs, how it stops."""

import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import environment
import pytest
import suitable
from errors import SetupError

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / 'tools' / 'setup' / 'setup.sh'


@pytest.fixture
def pythons(tmp_path):
    """Run setup.sh with fake Pythons alone on the path.

    Each is given by name with the exit code and words that its run of
    suitable.py ends with; one that suits then says that it was chosen.
    """
    folder = tmp_path / 'bin'
    folder.mkdir()
    for program in ('sh', 'dirname'):
        (folder / program).symlink_to(shutil.which(program))

    def run(asked='', **found):
        for name, (code, words) in found.items():
            program = folder / name.replace('_', '.')
            program.write_text(
                '#!/bin/sh\ncase $1 in\n'
                f'*suitable.py) echo "{words}"; exit {code} ;;\n'
                f'*) echo "chosen: {program.name}" ;;\nesac\n'
            )
            program.chmod(0o755)
        env = {'PATH': str(folder), 'PYTHON': asked}
        return subprocess.run(
            ['sh', SCRIPT], env=env, capture_output=True, text=True
        )

    return run


def test_first_python_that_works_and_is_in_range_is_taken(pythons):
    done = pythons(
        python3=(3, 'is 3.13'),
        python3_12=(127, 'shim: command not found'),
        python3_11=(0, ''),
        python3_10=(0, ''),
    )
    assert done.stdout.strip() == 'chosen: python3.11'


def test_python_asked_for_is_taken(pythons):
    done = pythons('python3.10', python3=(0, ''), python3_10=(0, ''))
    assert done.stdout.strip() == 'chosen: python3.10'


def test_python_asked_for_that_does_not_do_is_not_replaced(pythons):
    done = pythons('python3.9', python3=(0, ''), python3_9=(3, 'is 3.9'))
    assert done.returncode == 1
    assert 'python3.9: is 3.9' in done.stderr
    assert 'chosen' not in done.stdout


def test_unsuitable_pythons_are_listed(pythons):
    done = pythons(python3=(3, 'is 3.13'), python3_11=(3, 'lacks venv'))
    assert done.returncode == 1
    assert done.stderr.startswith('No suitable Python: 3.10, 3.11 or 3.12')
    assert 'python3: is 3.13' in done.stderr
    assert 'python3.11: lacks venv' in done.stderr


def test_no_python_at_all(pythons):
    done = pythons()
    assert done.returncode == 1
    assert 'Found: none' in done.stderr


@pytest.mark.parametrize('version', [(3, 9, 1), (3, 13, 0), (2, 7, 18)])
def test_other_versions_do_not_suit(version, monkeypatch):
    monkeypatch.setattr(sys, 'version_info', version)
    assert suitable.shortcomings() == ['is %d.%d' % version[:2]]  # noqa: UP031


def test_python_without_headers_does_not_suit(monkeypatch):
    assert suitable.shortcomings() == []
    monkeypatch.setattr('os.path.exists', lambda path: False)
    (lack,) = suitable.shortcomings()
    assert 'python3-dev' in lack


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The set-up's main module, at work in a copy of its checkout."""
    copy = tmp_path / 'checkout'
    for name in ('requirements', 'tools/setup'):
        shutil.copytree(ROOT / name, copy / name)
    (copy / 'mmselfemd').mkdir()
    for name in ('setup.py', 'pyproject.toml', 'mmselfemd/version.py'):
        shutil.copy(ROOT / name, copy / name)
    (copy / '.venv' / 'bin').mkdir(parents=True)
    (copy / '.venv' / 'bin' / 'python').symlink_to(sys.executable)
    path = copy / 'tools' / 'setup' / '__main__.py'
    spec = importlib.util.spec_from_file_location('setup_main', path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.delenv('PYTHON', raising=False)
    monkeypatch.delenv('STACK', raising=False)  # of make, for these tests
    spec.loader.exec_module(module)
    return module


def finish(setup):
    setup.STAMP.write_text(setup.fingerprint())
    assert setup.is_current()


def test_finished_set_up_is_not_repeated(setup, monkeypatch):
    runs = []

    def set_up():
        runs.append(1)
        setup.STAMP.write_text(setup.fingerprint())

    monkeypatch.setattr(setup, 'set_up', set_up)
    assert (setup.main(), setup.main()) == (0, 0)
    assert len(runs) == 1


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_it_as_an_interrupt(setup, monkeypatch, capsys, number):
    def set_up():
        os.kill(os.getpid(), number)
        time.sleep(10)

    monkeypatch.setattr(setup, 'set_up', set_up)
    before = signal.signal(number, signal.SIG_DFL)
    try:
        setup.heed_signals()
        assert setup.main() == 130
    finally:
        signal.signal(number, before)
    assert 'the same command goes on' in capsys.readouterr().out


@pytest.mark.parametrize(
    'name',
    [
        'requirements/lock.txt',
        'requirements/mmcv.txt',
        'setup.py',
        'tools/setup/mmcv_wheel.py',
        'mmselfemd/version.py',
    ],
)
def test_change_of_lock_or_code_sets_up_again(setup, name):
    finish(setup)
    with (setup.CHECKOUT / name).open('a') as file:
        file.write('# changed\n')
    assert not setup.is_current()


def test_new_gpu_sets_up_again(setup, monkeypatch):
    finish(setup)
    monkeypatch.setattr(setup.host, 'gpu_capabilities', lambda: ('9.0',))
    assert not setup.is_current()


def test_other_python_asked_for_sets_up_again(setup, monkeypatch):
    finish(setup)
    monkeypatch.setenv('PYTHON', sys.executable)
    assert setup.is_current()
    monkeypatch.setattr(setup, 'wanted_version', lambda: (3, 9))
    assert not setup.is_current()


def test_broken_environment_sets_up_again(setup):
    finish(setup)
    (setup.VENV / 'bin' / 'python').unlink()
    assert not setup.is_current()


@pytest.fixture
def mmcv(setup, tmp_path, monkeypatch):
    """A cached wheel; the list that comes back gets what pip installs."""
    monkeypatch.setattr(
        setup.mmcv_wheel, 'ask_torch', lambda python: ('2.11.0', None, False)
    )
    folder = tmp_path / 'wheels' / 'key'
    folder.mkdir(parents=True)
    (folder / 'mmcv-2.1.0-cp311.whl').touch()
    monkeypatch.setattr(setup.mmcv_wheel, 'locate', lambda *_: folder)
    installs = []
    monkeypatch.setattr(
        setup.environment,
        'pip_install',
        lambda python, arguments, *_, **__: installs.append(arguments[-1]),
    )
    return installs


def test_mmcv_in_use_is_not_replaced_by_the_same(setup, mmcv, monkeypatch):
    monkeypatch.setattr(setup, 'failure', lambda python, code: None)
    setup.install_mmcv('python')
    setup.install_mmcv('python')
    assert len(mmcv) == 1
    other = mmcv[0].parent.with_name('other')
    mmcv[0].parent.rename(other)
    monkeypatch.setattr(setup.mmcv_wheel, 'locate', lambda *_: other)
    setup.install_mmcv('python')
    assert len(mmcv) == 2


def test_mmcv_that_does_not_load_leaves_the_cache(setup, mmcv, monkeypatch):
    monkeypatch.setattr(setup, 'failure', lambda python, code: 'bad symbol')
    with pytest.raises(setup.SetupError, match='bad symbol'):
        setup.install_mmcv('python')
    assert not mmcv[0].parent.exists()
    assert not setup.MMCV_RECORD.exists()


def test_missing_compiler_stops_before_anything_is_made(tmp_path):
    """The real entry, on a machine with Python and git alone."""
    copy = tmp_path / 'checkout'
    for name in ('requirements', 'tools/setup', 'mmselfemd/version.py'):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    for name in ('setup.py', 'pyproject.toml'):
        shutil.copy(ROOT / name, copy / name)
    folder = tmp_path / 'bin'
    folder.mkdir()
    for program in ('sh', 'dirname', 'git'):
        (folder / program).symlink_to(shutil.which(program))
    env = {'PATH': str(folder), 'PYTHON': sys.executable}
    done = subprocess.run(
        ['sh', copy / 'tools' / 'setup' / 'setup.sh'],
        env={**env, 'HOME': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith('Set-up stopped: No C++17 compiler')
    assert len(done.stderr.splitlines()) == 1
    assert not (copy / '.venv').exists()


def test_folder_that_is_no_environment_is_left_alone(tmp_path):
    (tmp_path / '.venv').mkdir()
    (tmp_path / '.venv' / 'precious').touch()
    with pytest.raises(SetupError, match='no virtual environment'):
        environment.ensure(tmp_path / '.venv', None)
    assert (tmp_path / '.venv' / 'precious').exists()


def test_environment_that_is_a_link_is_left_alone(setup, monkeypatch):
    """Clearing it would clear that of another checkout."""
    other = setup.VENV.rename(setup.VENV.with_name('of another checkout'))
    (other / 'pyvenv.cfg').touch()
    (other / setup.STAMP.name).touch()
    before = sorted(other.rglob('*'))
    setup.VENV.symlink_to(other)
    with pytest.raises(SetupError, match='is a link to .*remove the link'):
        environment.ensure(setup.VENV, None)
    with pytest.raises(setup.SetupError, match='is a link to'):
        setup.set_up()
    assert sorted(other.rglob('*')) == before


def test_environment_is_made_kept_and_remade(tmp_path, monkeypatch):
    folder = tmp_path / '.venv'
    python = environment.ensure(folder, None)
    version = environment.version_of(python)
    assert version == sys.version_info[:2]
    (folder / 'mark').touch()
    environment.ensure(folder, version)
    assert (folder / 'mark').exists()
    (folder / environment.UNFINISHED).touch()  # as if cut off
    environment.ensure(folder, version)
    assert not (folder / 'mark').exists()
    assert environment.is_sound(folder)
    moved = folder.rename(tmp_path / 'moved')
    assert not environment.is_sound(moved)


def test_an_apostrophe_in_the_path_makes_no_environment_unsound(tmp_path):
    folder = tmp_path / "o'neil" / '.venv'
    (folder / 'bin').mkdir(parents=True)
    for written in (f'"{folder}"', shlex.quote(str(folder))):
        activate = folder / 'bin' / 'activate'
        activate.write_text(f'VIRTUAL_ENV={written}\n')
        assert environment.is_sound(folder)


@pytest.mark.skipif(shutil.which('make') is None, reason='make is absent')
def test_an_apostrophe_in_the_path_of_the_python_asked_for(tmp_path):
    shutil.copy(ROOT / 'Makefile', tmp_path)
    (tmp_path / 'tools' / 'setup').mkdir(parents=True)
    script = tmp_path / 'tools' / 'setup' / 'setup.sh'
    script.write_text('echo "$PYTHON"')
    done = subprocess.run(
        ['make', '--no-print-directory', 'setup', "PYTHON=/o'neil/python3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "/o'neil/python3\n", done.stderr


def test_pip_output_gives_progress():
    reader = environment.PipProgress(total=3)
    assert reader('Ignoring colorama: markers do not match') is None
    assert reader('Collecting torch==2.11.0')[1] == '1/2'
    assert reader('  Downloading torch') is None
    fraction, words = reader('Processing files/numpy.whl')
    assert words == '2/2'
    assert reader('Installing collected packages: numpy') == (
        fraction,
        'unpacking',
    )


def test_modules_are_compiled_whatever_python_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONDONTWRITEBYTECODE', '1')
    (tmp_path / 'bin').mkdir()
    python = tmp_path / 'bin' / 'python'
    python.symlink_to(sys.executable)
    packages = tmp_path / 'lib' / 'python3.11' / 'site-packages' / 'one'
    packages.mkdir(parents=True)
    (packages / 'good.py').write_text('VALUE = 1\n')
    (packages / 'template.py').write_text('VALUE = {{ value }} {\n')
    environment.compile_modules(python)
    (compiled,) = packages.rglob('*.pyc')
    assert compiled.name.startswith('good.')
