"""Builds mmcv's wheel; a build that is cut off goes on where it was."""

import shutil
import tempfile
from pathlib import Path

import host
import mmcv_estimate
import mmcv_units
import mmcv_wheel
import progress
from alone import alone
from errors import SetupError

# In the folder of the finished wheel: source, objects, the wheel in the
# making. Removed when the wheel is there.
UNFINISHED = 'unfinished'

# So many times, units that do not compile are halved; then all their files
# are compiled one at a time.
HALVINGS = 4


def fetch_source(
    python: Path, requirement: str, room: Path, together: bool
) -> Path:
    """Download and unpack mmcv's source, or keep what an earlier run left.

    Args:
        python (Path): The environment's Python.
        requirement (str): The pinned mmcv.
        room (Path): Folder that gets it.
        together (bool): Whether its files are grouped into units.

    Returns:
        Path: Folder of the source.
    """
    source = room / 'source'
    if source.exists():
        return source
    with tempfile.TemporaryDirectory(dir=room) as name:
        fresh = Path(name)
        progress.run(
            download_command(python, requirement, fresh),
            f'fetching {requirement}',
            None,
            room / 'download.log',
        )
        (archive,) = fresh.glob('*mmcv-*.*')
        shutil.unpack_archive(archive, fresh / 'unpacked')
        (unpacked,) = (fresh / 'unpacked').iterdir()
        if together:
            mmcv_units.write_units(unpacked)
        # Whole, or not there.
        unpacked.rename(source)
    return source


def download_command(
    python: Path, requirement: str, out: Path
) -> list[str | Path]:
    """What puts an archive of mmcv's source into a folder."""
    command = [python, '-m', 'pip', 'download', '--no-deps']
    command += ['--no-build-isolation', '--no-cache-dir']
    name = requirement.partition('==')[0]
    return [*command, '--no-binary', name, '--dest', out, requirement]


def wheel_command(python: Path, source: Path, out: Path) -> list[str | Path]:
    """What builds a source folder in place, keeping its objects."""
    command = [python, '-m', 'pip', 'wheel', '--verbose', '--no-deps']
    # Without --use-pep517 old pips remove the objects of a build that fails.
    command += ['--no-build-isolation', '--use-pep517', '--no-cache-dir']
    return [*command, '--wheel-dir', out, source]


def compile_source(
    python: Path, source: Path, ops: host.Ops, log: Path, together: bool
) -> Path:
    """Compile what is not compiled yet, and pack the wheel.

    Args:
        python (Path): The environment's Python.
        source (Path): Folder of mmcv's source.
        ops (host.Ops): Which operators to build.
        log (Path): File that gets the build's output.
        together (bool): Whether its files are grouped into units.

    Returns:
        Path: The wheel, beside the source.

    Raises:
        SetupError: If a file does not compile.
    """
    out = source.parent / 'wheel'
    files = mmcv_estimate.files_to_compile(source, ops.cuda is not None)
    works = [mmcv_estimate.work(file, len(ops.capabilities)) for file in files]
    progress.run(
        wheel_command(python, source, out),
        f'building {source.parent.parent.name.partition("_")[0]} ({ops.name})',
        None,
        log,
        mmcv_estimate.BuildProgress(works, host.jobs()),
        mmcv_wheel.build_environment(python, ops, together),
    )
    (wheel,) = out.glob('*mmcv-*.whl')
    return wheel


def compile_or_split(
    python: Path, source: Path, ops: host.Ops, log: Path, together: bool
) -> Path:
    """Compile the source; where files do not compile together, apart.

    Takes and returns what :func:`compile_source` does.
    """
    failures = 0
    while True:
        try:
            return compile_source(python, source, ops, log, together)
        except SetupError:
            failures += 1
            said = mmcv_units.split_failed(
                source, log.read_text(), failures > HALVINGS
            )
            if not said:
                raise
            for line in said:
                print(f'      {line}', flush=True)


def build(
    python: Path,
    requirement: str,
    ops: host.Ops,
    folder: Path,
    together: bool = True,
) -> Path:
    """Build the wheel in its place in the cache.

    Args:
        python (Path): The environment's Python, which has torch and ninja.
        requirement (str): The pinned mmcv.
        ops (host.Ops): Which operators to build.
        folder (Path): Its folder in the cache, named by
            :func:`mmcv_wheel.key`. What an interrupted build has left there
            is gone on with.
        together (bool): Whether mmcv's files are compiled in a few units and
            without debugging information, or else each by itself, as mmcv's
            own build does. Defaults to True.

    Returns:
        Path: The finished wheel.

    Raises:
        SetupError: If the build fails; the log stays in the cache.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, 'Another set-up is building mmcv: waiting for it.'):
        finished = mmcv_wheel.cached(folder)  # by the other one
        if finished:
            return finished
        room = folder / UNFINISHED
        room.mkdir(exist_ok=True)
        source = fetch_source(python, requirement, room, together)
        log = folder.parent / f'{folder.name}.log'
        wheel = compile_or_split(python, source, ops, log, together)
        finished = wheel.replace(folder / wheel.name)
        shutil.rmtree(room)
    return finished
