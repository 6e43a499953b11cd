"""The virtual environment in the checkout, and what is installed in it."""

import hashlib
import shlex
import subprocess
import sys
from pathlib import Path

import progress
from errors import SetupError

SUPPORTED = ((3, 10), (3, 12))

# There while packages are being installed: an environment that still has it
# was cut off, and may hold half a package that looks whole.
UNFINISHED = '.unfinished'

# Of the time that pip takes, the share before it starts to unpack.
FETCHING = 0.6


def version_of(python: Path) -> tuple[int, int] | None:
    """Version of an environment's Python, if it works and has pip."""
    code = 'import sys, pip; print(*sys.version_info[:2])'
    try:
        said = subprocess.run(
            [python, '-c', code], capture_output=True, text=True
        )
    except OSError:
        return None
    if said.returncode != 0:
        return None
    major, minor = said.stdout.split()
    return int(major), int(minor)


def is_sound(folder: Path) -> bool:
    """Whether an environment was finished, and is where it was made."""
    activate = folder / 'bin' / 'activate'  # holds its absolute path
    if (folder / UNFINISHED).exists() or not activate.is_file():
        return False
    text = activate.read_text(errors='replace')
    # As newer versions of Python write an apostrophe in it.
    return str(folder) in text or shlex.quote(str(folder)) in text


def check_no_link(folder: Path) -> None:
    """Raise if an environment is a link: what it shows would be cleared.

    Args:
        folder (Path): Where the environment is, or will be.

    Raises:
        SetupError: If it is one, whole or not.
    """
    if folder.is_symlink():
        raise SetupError(
            f'{folder} is a link to {folder.readlink()}, which may be in use '
            'elsewhere, and set-up would clear it: remove the link.'
        )


def ensure(folder: Path, version: tuple[int, int] | None) -> Path:
    """Make the environment, or keep the one that is there if it will do.

    Args:
        folder (Path): Its folder.
        version (tuple[int, int], optional): The one version asked for; None
            keeps any supported one.

    Returns:
        Path: Its Python.

    Raises:
        SetupError: If the folder holds something else, or it cannot be made.
    """
    python = folder / 'bin' / 'python'
    present = version_of(python) if is_sound(folder) else None
    if present and SUPPORTED[0] <= present <= SUPPORTED[1]:
        if version in (None, present):
            return python
    check_no_link(folder)
    if folder.exists() and not (folder / 'pyvenv.cfg').exists():
        raise SetupError(
            f'{folder} is there, but is no virtual environment: move it away.'
        )
    made = subprocess.run(
        [sys.executable, '-m', 'venv', '--clear', folder],
        capture_output=True,
        text=True,
    )
    if made.returncode != 0:
        raise SetupError(f'Cannot make {folder}: {made.stdout}{made.stderr}')
    return python


class PipProgress:
    """Reads how far ``pip install -r`` is from what it prints.

    Args:
        total (int): Lines of the lock.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.fetched = 0

    def __call__(self, line: str) -> progress.Progress | None:
        """Count one line of output."""
        if line.startswith('Ignoring '):  # its marker is not for this Python
            self.total -= 1
            return None
        if line.startswith('Installing collected'):
            return FETCHING, 'unpacking'
        if not line.startswith(('Collecting ', 'Processing ')):
            return None
        self.fetched = min(self.fetched + 1, self.total)
        return (
            FETCHING * self.fetched / self.total,
            f'{self.fetched}/{self.total}',
        )


def pip_install(
    python: Path,
    arguments: list[str | Path],
    label: str,
    expected: float,
    reader: progress.Reader = lambda line: None,
) -> None:
    """Run ``pip install --no-deps`` with its log in the environment.

    Args:
        python (Path): The environment's Python.
        arguments (list): What to install.
        label (str): What this is, for the progress line.
        expected (float): Seconds that it is expected to take.
        reader (Callable): Finds the progress in a line of output.
    """
    command = [python, '-m', 'pip', 'install', '--no-deps']
    # pip compiles on one core: see compile_modules.
    command += ['--no-compile', '--disable-pip-version-check']
    command += ['--progress-bar', 'off']
    log = python.parents[1] / 'setup.log'
    progress.run([*command, *arguments], label, expected, log, reader)


def compile_modules(python: Path) -> None:
    """Compile all installed modules, on every core.

    Not left to the first import: where ``PYTHONDONTWRITEBYTECODE`` is set, as
    in many containers, every import would compile them again.

    Args:
        python (Path): The environment's Python.
    """
    (packages,) = python.parents[1].glob('lib/python*/site-packages')
    command = [python, '-m', 'compileall', '-q', '-j', '0', packages]
    # A few packages hold templates and the like that are no modules.
    subprocess.run(command, capture_output=True)


def requirements_of(file: Path) -> list[str]:
    """Lines of a requirements file without comments."""
    lines = (line.partition('#')[0] for line in file.read_text().splitlines())
    return [line.strip() for line in lines if line.strip()]


def fingerprint(files: list[Path], facts: list[str]) -> str:
    """One hash over all that a finished set-up depends on.

    Args:
        files (list[Path]): Files whose content counts.
        facts (list[str]): What else counts.

    Returns:
        str: A hexadecimal digest.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.name.encode() + b'\0' + file.read_bytes() + b'\0')
    digest.update('\0'.join(facts).encode())
    return digest.hexdigest()
