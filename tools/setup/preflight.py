"""What must hold before anything long starts, each with one clear line."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import host
from errors import SetupError

# With torch 2.11: .venv takes 5.5 GB; pip keeps its downloads, 3 GB, in its
# cache and, until they are installed, among the temporary files.
GIGABYTES = {'the checkout': 6.5, 'the cache': 3.5, 'temporary files': 3.5}


def cache_folder() -> Path:
    """Where the built mmcv is kept for all checkouts of this user."""
    base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(base) / 'mmselfemd'


def existing(path: Path) -> Path:
    """The nearest folder at or above ``path`` that exists."""
    return path if path.is_dir() else existing(path.parent)


def check_programs() -> None:
    """Raise where git or the C++ compiler does not work.

    Raises:
        SetupError: Naming what is missing and how it is installed.
    """
    if host.output_of('git', '--version') is None:
        raise SetupError('git does not run. Install it (Debian, Ubuntu: git).')
    if not host.compiles():
        raise SetupError(
            f'No C++17 compiler: `{host.compiler_command()}` cannot compile '
            'a line, and mmcv is compiled. Install one (Debian, Ubuntu: g++; '
            'Fedora: gcc-c++) or name it with CXX=...'
        )


def size_of(folder: Path) -> float:
    """Gigabytes that the files below a folder take."""
    files = (path for path in folder.rglob('*') if not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e9


def check_disk(venv: Path) -> None:
    """Raise where a file system has too little room for its share.

    Args:
        venv (Path): The environment's folder. What an interrupted set-up has
            left in it is not asked for again.

    Raises:
        SetupError: Naming the folder, the room it has, and what it needs.
    """
    folders = {
        'the checkout': venv.parent,
        'the cache': existing(cache_folder()),
        'temporary files': Path(tempfile.gettempdir()),
    }
    needs = dict(GIGABYTES)
    needs['the checkout'] -= min(5.5, size_of(venv))
    shares: dict[int, list[str]] = {}
    for use, folder in folders.items():
        shares.setdefault(folder.stat().st_dev, []).append(use)
    for uses in shares.values():
        needed = sum(needs[use] for use in uses)
        folder = folders[uses[0]]
        free = shutil.disk_usage(folder).free / 1e9
        if free < needed:
            raise SetupError(
                f'Too little disk: {folder} has {free:.1f} GB free, and '
                f'{needed:.1f} GB are needed there ({", ".join(uses)}). '
                'Make room, or move: XDG_CACHE_HOME is for the cache, '
                'TMPDIR for temporary files.'
            )


def check_network(python: Path, requirement: str) -> None:
    """Raise where pip cannot fetch one small package from its index.

    Args:
        python (Path): A Python with pip, in the environment.
        requirement (str): A small locked package to ask for.

    Raises:
        SetupError: With pip's own last words.
    """
    with tempfile.TemporaryDirectory() as room:
        command = [python, '-m', 'pip', 'download', '--quiet', '--no-deps']
        command += ['--no-cache-dir', '--disable-pip-version-check']
        command += ['--timeout', '15', '--retries', '1', '--dest', room]
        asked = subprocess.run(
            [*command, requirement], capture_output=True, text=True
        )
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines() or ['pip said nothing']
        raise SetupError(
            f'No network: pip cannot fetch {requirement} from its package '
            f'index ({lines[-1].strip()}). Connect, or set a proxy or an '
            'index with `pip config`, and run the same command again.'
        )
