"""mmcv, built once per machine and kept as a wheel in the user's cache."""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import host
import preflight
from errors import SetupError

# How it is built: mmcv_units.py, without debugging information. Another way
# gets another name.
WAY = 'units-g0'

# What the compiler is told through the user's environment.
FLAGS = (
    'CC',
    'CXX',
    'CFLAGS',
    'CXXFLAGS',
    'CPPFLAGS',
    'LDFLAGS',
    'CPATH',
    'NVCC_APPEND_FLAGS',
    'NVCC_PREPEND_FLAGS',
)

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
    return tuple(json.loads(answer(python, PROBE)))


def answer(python: Path, code: str) -> str:
    """Last line that a piece of Python prints.

    Raises:
        SetupError: If it fails, as where a library of torch is missing.
    """
    said = subprocess.run([python, '-c', code], capture_output=True, text=True)
    if said.returncode != 0:
        last = (said.stderr.strip().splitlines() or ['no message'])[-1]
        raise SetupError(
            f'{python} fails: {last}. Mend that, or remove '
            f'{python.parents[1]}, and run the same command again.'
        )
    return said.stdout.splitlines()[-1]


def python_tag(python: Path) -> str:
    """CPython's wheel tag of an environment, such as ``cp311``."""
    code = 'import sys; print("cp%d%d" % sys.version_info[:2])'
    return answer(python, code)


def compiler_flags(python: Path) -> str:
    """Python's own compiler flags, which mmcv's build takes too."""
    code = 'import sysconfig; print(sysconfig.get_config_var("CFLAGS") or "")'
    return answer(python, code)


def flags_name() -> str | None:
    """A short name of the user's compiler flags, if there are any."""
    given = [
        f'{name}={os.environ[name]}' for name in FLAGS if os.environ.get(name)
    ]
    if not given:
        return None
    return 'flags-' + hashlib.sha256('\n'.join(given).encode()).hexdigest()[:8]


def key(requirement: str, torch: str, tag: str, ops: host.Ops) -> str:
    """Name the cache's folder after everything that the wheel depends on.

    Args:
        requirement (str): The pinned mmcv, such as ``mmcv==2.1.0``.
        torch (str): Version of torch with its local part.
        tag (str): Python's wheel tag.
        ops (host.Ops): Which operators are built.

    Returns:
        str: Such as ``mmcv-2.1.0_torch-2.11.0+cu130_cp311_linux-x86_64_
        glibc-2.36_c++-12_cpu_units-g0``, in one piece.
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
        WAY,
        flags_name(),
    )
    return '_'.join(part.replace('/', '-') for part in parts if part)


def cached(folder: Path) -> Path | None:
    """The finished wheel in a folder of the cache, if there is one."""
    return next(iter(sorted(folder.glob('*mmcv-*.whl'))), None)


def build_environment(
    python: Path, ops: host.Ops, together: bool = True
) -> dict[str, str]:
    """Environment variables that make mmcv build what was chosen.

    Args:
        python (Path): The environment's Python, which has torch and ninja.
        ops (host.Ops): Which operators to build.
        together (bool): Whether debugging information is left out, as it is
            where files are compiled together. Defaults to True.

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
    env['PYTHONUNBUFFERED'] = '1'  # its lines are read for the progress
    if together:
        # setuptools takes CFLAGS in place of Python's own, which hold -O3.
        # nvcc is never asked for debugging information.
        for name in ('CFLAGS', 'CXXFLAGS'):
            flags = (compiler_flags(python), env.get(name), '-g0')
            env[name] = ' '.join(filter(None, flags))
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


def locate(python: Path, requirement: str, ops: host.Ops, torch: str) -> Path:
    """Folder of the cache for this machine's wheel."""
    name = key(requirement, torch, python_tag(python), ops)
    return preflight.cache_folder() / 'wheels' / name
