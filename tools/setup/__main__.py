"""Sets a checkout up: environment, locked packages, mmcv, the package.

``make`` runs this before everything else. It needs the standard library
alone. When nothing has changed since it last finished, it does nothing.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import environment
import host
import mmcv_build
import mmcv_wheel
import preflight
import progress
import stacks
from alone import alone
from errors import SetupError

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
STACK = stacks.chosen()
VENV = CHECKOUT / STACK.venv
LOCK = CHECKOUT / 'requirements' / STACK.lock
MMCV = CHECKOUT / 'requirements' / STACK.mmcv
STAMP = VENV / '.set-up'
# Names the build of mmcv that is installed.
MMCV_RECORD = VENV / '.mmcv'

LOAD_MMCV = 'import torch, mmcv._ext'

# Small, pure, locked: what the network is tried with.
SMALL_PACKAGE = 'iniconfig'

# They would lead pip or Python to another place than the environment.
MISLEADING = (
    'PYTHONHOME',
    'PYTHONPATH',
    'PIP_PREFIX',
    'PIP_REQUIRE_VIRTUALENV',
    'PIP_TARGET',
    'PIP_USER',
)


def fingerprint() -> str:
    """Hash all that this checkout's set-up depends on."""
    files = [LOCK, MMCV, CHECKOUT / 'setup.py', CHECKOUT / 'pyproject.toml']
    files += [CHECKOUT / 'mmselfemd' / 'version.py', *HERE.glob('*.py')]
    capabilities = host.gpu_capabilities()
    toolkits = host.cuda_toolkits() if capabilities else {}
    facts = [str(CHECKOUT), *capabilities, *sorted(toolkits)]
    return environment.fingerprint(files, facts)


def wanted_version() -> tuple[int, int] | None:
    """The Python version that the user asks for by name, if any."""
    return sys.version_info[:2] if os.environ.get('PYTHON') else None


def is_current() -> bool:
    """Whether the set-up has finished and nothing has changed since."""
    if not STAMP.exists() or STAMP.read_text() != fingerprint():
        return False
    version = environment.version_of(VENV / 'bin' / 'python')
    return version is not None and wanted_version() in (None, version)


@contextmanager
def step(number: int, what: str) -> Iterator[None]:
    """Announce a step, and say how long it took."""
    print(f'[{number}/5] {what}', flush=True)
    start = time.monotonic()
    yield
    print(f'      done in {progress.clock(time.monotonic() - start)}')


def check(python: Path, *options: str) -> list[str]:
    """Compare the environment with the lock; list what differs."""
    said = subprocess.run(
        [python, HERE / 'check_lock.py', LOCK, *options],
        capture_output=True,
        text=True,
    )
    return (said.stdout + said.stderr).splitlines()


def check_network(python: Path) -> None:
    """Raise if pip cannot fetch even a small locked package."""
    lines = environment.requirements_of(LOCK)
    (small,) = (line for line in lines if line.startswith(SMALL_PACKAGE))
    preflight.check_network(python, small)


def install_lock(python: Path) -> None:
    """Install the locked packages, if any is missing."""
    if not check(python, '--locked-only'):
        return
    check_network(python)
    unfinished = VENV / environment.UNFINISHED
    unfinished.touch()
    environment.pip_install(
        python,
        ['-r', LOCK],
        'packages',
        expected=150,
        reader=environment.PipProgress(len(environment.requirements_of(LOCK))),
    )
    unfinished.unlink()


def install_mmcv(python: Path) -> None:
    """Install mmcv from the user's cache, building it first if need be.

    One that is installed already is left in place: somebody's training may
    be using it.
    """
    (requirement,) = environment.requirements_of(MMCV)
    torch, torch_cuda, usable = mmcv_wheel.ask_torch(python)
    ops = host.choose_ops(
        host.gpu_capabilities(), host.cuda_toolkits(), torch_cuda, usable
    )
    print(f'      {ops.note}')
    folder = mmcv_wheel.locate(python, requirement, ops, torch)
    recorded = MMCV_RECORD.read_text() if MMCV_RECORD.exists() else None
    if recorded == folder.name and not failure(python, LOAD_MMCV):
        return
    wheel = mmcv_wheel.cached(folder)
    if wheel is None:
        print('      compiled once per machine')
        check_network(python)
        wheel = mmcv_build.build(python, requirement, ops, folder)
    else:
        print(f'      from the cache: {folder}')
    environment.pip_install(
        python,
        ['--no-index', '--force-reinstall', wheel],
        'mmcv',
        expected=5,
    )
    error = failure(python, LOAD_MMCV)
    if error:
        shutil.rmtree(folder)
        raise SetupError(
            f'The mmcv built earlier does not load here ({error}). It is '
            'removed from the cache: run the same command again to build it.'
        )
    MMCV_RECORD.write_text(folder.name)


def failure(python: Path, code: str) -> str | None:
    """Last line of what a piece of Python fails with, if it does."""
    done = subprocess.run([python, '-c', code], capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or ['no message'])[-1]


def check_environment(python: Path) -> None:
    """Raise if the environment is not what the lock says.

    Raises:
        SetupError: With every difference found.
    """
    problems = check(python, str(MMCV))
    error = failure(python, 'import mmdet, mmpretrain, mmselfemd')
    if error:
        problems.append(error)
    if problems:
        raise SetupError(
            f'{VENV} is not what {LOCK.name} says:\n  '
            + '\n  '.join(problems)
            + f'\nRemove {VENV} and run the same command again.'
        )


def set_up() -> None:
    """Do all five steps; the ones that have nothing to do are quick."""
    start = time.monotonic()
    print(
        f'Setting up in {VENV.name}: packages are fetched, and mmcv is '
        'compiled, once per machine.'
    )
    environment.check_no_link(VENV)  # nor take its stamp away
    STAMP.unlink(missing_ok=True)
    preflight.check_programs()
    if not (VENV / 'bin' / 'python').exists() or check(
        VENV / 'bin' / 'python', '--locked-only'
    ):
        preflight.check_disk(VENV)
    with step(1, f'environment: {VENV.name}'):
        python = environment.ensure(VENV, wanted_version())
        print('      Python {}.{}'.format(*environment.version_of(python)))
    with step(2, f'packages: {LOCK.name} (3 GB, 1-4 minutes)'):
        install_lock(python)
    with step(3, 'mmcv with its compiled operators'):
        install_mmcv(python)
    with step(4, 'mmselfemd itself, from this checkout'):
        environment.pip_install(
            python,
            ['--no-build-isolation', '--no-index', '--editable', CHECKOUT],
            'mmselfemd',
            expected=5,
        )
        print('      compiling modules, on every core')
        environment.compile_modules(python)
    with step(5, 'check: is everything as locked?'):
        check_environment(python)
    STAMP.write_text(fingerprint())
    took = progress.clock(time.monotonic() - start)
    print(f'Set up in {took}. The next run goes straight on.', flush=True)


def heed_signals() -> None:
    """Stop on a signal as on Ctrl-C: with everything that was started.

    One that is ignored, as under nohup, stays so.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, interrupt)


def main() -> int:
    """Set up if needed; 1 and one line on the screen if that fails."""
    for name in MISLEADING:
        os.environ.pop(name, None)
    if is_current():
        return 0
    try:
        with alone(
            HERE,
            'Another set-up is at work in this checkout: waiting for it.',
        ):
            if not is_current():
                set_up()
    except SetupError as error:
        print(f'Set-up stopped: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nSet-up interrupted; the same command goes on.')
        return 130
    return 0


if __name__ == '__main__':
    heed_signals()
    sys.exit(main())
