"""What this machine has: cores, compiler, GPUs, CUDA toolkits."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

# A compiler process takes up to this much for a unit of mmcv's files.
GIGABYTES_PER_JOB = 2.2

# Of a container, by version of Linux's control groups. mmselfemd.apis.machine
# has them too, and is not installed yet.
MEMORY_LIMITS = (
    Path('/sys/fs/cgroup/memory.max'),
    Path('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
)


@dataclass(frozen=True)
class Ops:
    """Which of mmcv's operators are built, and what to tell the user.

    Args:
        note (str): One line: what will run where.
        cuda (str, optional): CUDA version of the GPU operators, such as
            ``'13.0'``; None builds those for the CPU alone.
        capabilities (tuple[str]): Compute capabilities to build for.
        toolkit (Path, optional): Where that CUDA's ``bin/nvcc`` lies.
    """

    note: str
    cuda: str | None = None
    capabilities: tuple[str, ...] = ()
    toolkit: Path | None = None

    @property
    def name(self) -> str:
        """Short name for file names: ``cpu`` or ``cuda13.0-sm90``."""
        if self.cuda is None:
            return 'cpu'
        archs = '-'.join(
            'sm' + item.replace('.', '') for item in self.capabilities
        )
        return f'cuda{self.cuda}-{archs}'


def output_of(*command: str, stdin: str = '') -> str | None:
    """Standard output of a command, or None where it does not work."""
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def compiler_command() -> str:
    """The C++ compiler that torch's build extension would call."""
    return os.environ.get('CXX', 'c++')


def compiler() -> str:
    """Name and version of the C++ compiler, such as ``c++-12``."""
    command = compiler_command().split()
    version = output_of(*command, '-dumpversion')
    return f'{Path(command[0]).name}-{version}'


def compiles() -> bool:
    """Whether the C++ compiler and its standard library are there."""
    line = '#include <optional>\nstd::optional<int> number;\n'
    command = compiler_command().split()
    command += ['-std=c++17', '-fsyntax-only', '-x', 'c++', '-']
    return output_of(*command, stdin=line) is not None


def gpu_capabilities() -> tuple[str, ...]:
    """Compute capabilities of the GPUs present, each once."""
    listed = output_of(
        'nvidia-smi', '--query-gpu=compute_cap', '--format=csv,noheader'
    )
    return tuple(sorted(set(re.findall(r'\d+\.\d+', listed or ''))))


def cuda_toolkits() -> dict[str, Path]:
    """CUDA toolkits that can compile, by version (``'13.0'``)."""
    homes = [os.environ.get('CUDA_HOME'), os.environ.get('CUDA_PATH')]
    nvcc = shutil.which('nvcc')
    if nvcc:
        homes.append(str(Path(nvcc).resolve().parents[1]))
    homes += sorted(str(path) for path in Path('/usr/local').glob('cuda*'))
    toolkits: dict[str, Path] = {}
    for home in filter(None, homes):
        if not (Path(home) / 'include' / 'cuda_runtime.h').exists():
            continue
        said = output_of(str(Path(home) / 'bin' / 'nvcc'), '--version')
        release = re.search(r'release (\d+\.\d+)', said or '')
        if release:
            toolkits.setdefault(release.group(1), Path(home))
    return toolkits


def choose_ops(
    capabilities: tuple[str, ...],
    toolkits: dict[str, Path],
    torch_cuda: str | None,
    usable: bool,
) -> Ops:
    """Decide which operators of mmcv to build on this machine.

    Args:
        capabilities (tuple[str]): Compute capabilities of the GPUs present.
        toolkits (dict[str, Path]): CUDA toolkits by version.
        torch_cuda (str, optional): CUDA version that torch was built with.
        usable (bool): Whether torch can use the GPU.

    Returns:
        Ops: The choice. A toolkit without a GPU does not count: such a
        machine gets the CPU's operators.
    """
    if not capabilities:
        return Ops('No GPU here: everything runs on the CPU.')
    if not (torch_cuda and usable):
        return Ops(
            f'A GPU is here, but torch (CUDA {torch_cuda}) cannot use it '
            '(is its driver too old?): everything runs on the CPU.'
        )
    if torch_cuda not in toolkits:
        found = ', '.join(sorted(toolkits)) or 'none'
        return Ops(
            'A GPU is here, but no nvcc of CUDA '
            f'{torch_cuda} (found: {found}): pre-training runs on the GPU, '
            "mmcv's operators, and so detection, on the CPU."
        )
    return Ops(
        f'A GPU and nvcc {torch_cuda} are here: everything runs on the GPU.',
        torch_cuda,
        capabilities,
        toolkits[torch_cuda],
    )


def jobs() -> int:
    """How many compiler processes fit: by cores, and by memory."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    return max(1, min(cores, int(gigabytes() / GIGABYTES_PER_JOB)))


def gigabytes() -> float:
    """Memory of this machine, or of the container that this runs in."""
    sizes = [os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')]
    for limit in MEMORY_LIMITS:
        text = limit.read_text().strip() if limit.is_file() else ''
        if text.isdigit():  # else 'max'
            sizes.append(int(text))
    return min(sizes) / 1e9
