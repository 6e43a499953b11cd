"""mmcv, built once per machine and kept as a wheel in the user's cache."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import host
import preflight
import progress

# Seconds of one core: 77 files for the CPU alone, and what a GPU adds for
# each compute capability.
CPU_BUILD_SECONDS = 780
GPU_BUILD_SECONDS = 1300

NINJA_COUNT = re.compile(r'^\s*\[(\d+)/(\d+)\]')

PROBE = (
    'import json, torch; print(json.dumps([torch.__version__,'
    'torch.version.cuda, torch.cuda.is_available()]))'
)


def ask_torch(python: Path) -> tuple[str, str | None, bool]:
    """Ask the installed torch for its version, its CUDA, and if that works.

    Args:
        python (Path): The environment's Python.

    Returns:
        tuple[str, str | None, bool]: Such as ``('2.11.0+cu130', '13.0',
        False)``.
    """
    said = subprocess.run(
        [python, '-c', PROBE], capture_output=True, text=True, check=True
    )
    return tuple(json.loads(said.stdout.splitlines()[-1]))


def python_tag(python: Path) -> str:
    """CPython's wheel tag of an environment, such as ``cp311``."""
    code = 'import sys; print("cp%d%d" % sys.version_info[:2])'
    said = subprocess.run(
        [python, '-c', code], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def key(requirement: str, torch: str, tag: str, ops: host.Ops) -> str:
    """Name the cache's folder after everything that the wheel depends on.

    Args:
        requirement (str): The pinned mmcv, such as ``mmcv==2.1.0``.
        torch (str): Version of torch with its local part.
        tag (str): Python's wheel tag.
        ops (host.Ops): Which operators are built.

    Returns:
        str: Such as ``mmcv-2.1.0_torch-2.11.0+cu130_cp311_linux-x86_64_
        glibc-2.36_c++-12_cpu``, in one piece.
    """
    libc = '-'.join(filter(None, platform.libc_ver())) or 'libc'
    parts = (
        requirement.replace('==', '-'),
        f'torch-{torch}',
        tag,
        f'{sys.platform}-{platform.machine()}',
        libc,
        host.compiler(),
        ops.name,
    )
    return '_'.join(part.replace('/', '-') for part in parts)


def cached(folder: Path) -> Path | None:
    """The finished wheel in a folder of the cache, if there is one."""
    return next(iter(sorted(folder.glob('mmcv-*.whl'))), None)


def build_environment(python: Path, ops: host.Ops) -> dict[str, str]:
    """Environment variables that make mmcv build what was chosen.

    Args:
        python (Path): The environment's Python, which has torch and ninja.
        ops (host.Ops): Which operators to build.

    Returns:
        dict[str, str]: The whole environment of the build.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('FORCE_', 'MMCV_'))
    }
    env['PATH'] = f'{python.parent}{os.pathsep}{env.get("PATH", "")}'
    env['MMCV_WITH_OPS'] = '1'
    env['MAX_JOBS'] = str(host.jobs())
    if ops.cuda is None:
        # mmcv's build turns to CUDA as soon as torch sees a GPU.
        env['CUDA_VISIBLE_DEVICES'] = ''
        return env
    env['FORCE_CUDA'] = '1'
    env['CUDA_HOME'] = str(ops.toolkit)
    env['TORCH_CUDA_ARCH_LIST'] = ';'.join(ops.capabilities)
    # A toolkit may come without the headers of cuSPARSE and its like, which
    # torch's own includes ask for; those of the same CUDA lie in the wheels.
    wheels = python.parents[1].glob('lib/python*/site-packages/nvidia/*')
    headers = [str(path / 'include') for path in sorted(wheels)]
    paths = [env.get('CPATH'), *headers]
    env['CPATH'] = os.pathsep.join(filter(None, paths))
    return env


def ninja_progress(line: str) -> progress.Progress | None:
    """Read ninja's ``[25/77]``."""
    found = NINJA_COUNT.match(line)
    if not found:
        return None
    return int(found[1]) / int(found[2]), f'{found[1]}/{found[2]}'


def expected_seconds(ops: host.Ops) -> float:
    """How long the build takes on this machine's cores."""
    work = CPU_BUILD_SECONDS + GPU_BUILD_SECONDS * len(ops.capabilities)
    return 30 + work / host.jobs()


def build(python: Path, requirement: str, ops: host.Ops, folder: Path) -> Path:
    """Build the wheel beside its place in the cache and move it there.

    An interrupted build leaves nothing that the next run would take.

    Args:
        python (Path): The environment's Python.
        requirement (str): The pinned mmcv.
        ops (host.Ops): Which operators to build.
        folder (Path): Its folder in the cache, named by :func:`key`.

    Returns:
        Path: The finished wheel.

    Raises:
        SetupError: If the build fails; the log stays in the cache.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix='.building-', dir=folder.parent))
    command = [python, '-m', 'pip', 'wheel', '--verbose', '--no-deps']
    command += ['--no-build-isolation', '--no-cache-dir']
    command += ['--no-binary', 'mmcv', '--wheel-dir', room, requirement]
    try:
        progress.run(
            command,
            f'building {requirement} ({ops.name})',
            expected_seconds(ops),
            log=folder.parent / f'{folder.name}.log',
            reader=ninja_progress,
            env=build_environment(python, ops),
        )
        folder.mkdir(exist_ok=True)
        for wheel in room.glob('mmcv-*.whl'):
            wheel.replace(folder / wheel.name)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return cached(folder)


def locate(python: Path, requirement: str, ops: host.Ops, torch: str) -> Path:
    """Folder of the cache for this machine's wheel."""
    name = key(requirement, torch, python_tag(python), ops)
    return preflight.cache_folder() / 'wheels' / name
