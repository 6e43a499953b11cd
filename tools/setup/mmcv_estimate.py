"""How long the build of mmcv takes, told by the time of its first files."""

import heapq
import re
import time
from pathlib import Path

import mmcv_units
import progress

NINJA_COUNT = re.compile(r'^\s*\[(\d+)/(\d+)\]')
# setuptools' last line before the first file is compiled.
COMPILING = re.compile(r"^\s*building '.*' extension")

# Relative times, as measured for mmcv 2.1.0: in that of one of mmcv's files
# without torch's headers. The headers:
HEADERS = 12
# Beyond them, the bindings of all operators.
BINDINGS = 43
# A CUDA file for one compute capability: not measured. What is seen while it
# builds outweighs it.
CUDA = 50
# Linking and packing.
REST = 10


def work(file: Path, capabilities: int) -> float:
    """Relative time that a file takes to compile.

    Args:
        file (Path): A unit, or one of mmcv's own files.
        capabilities (int): How many GPU architectures CUDA files are for.

    Returns:
        float: Without a unit; see above.
    """
    if file.suffix == '.cu':
        return CUDA * capabilities
    names = mmcv_units.members(file)
    if names == [mmcv_units.BINDINGS]:
        return HEADERS + BINDINGS
    return HEADERS + max(1, len(names))


def files_to_compile(source: Path, cuda: bool) -> list[Path]:
    """Files that the build has yet to compile, in its order.

    Args:
        source (Path): Folder of mmcv's source.
        cuda (bool): Whether it builds for a GPU.

    Returns:
        list[Path]: Those without an object that is newer.
    """
    patterns = ['*.cpp', 'cpu/*.cpp']
    if cuda:
        patterns += ['cuda/*.cu', 'cuda/*.cpp']
    folder = source / mmcv_units.FOLDER
    files = sorted(path for name in patterns for path in folder.glob(name))
    return [path for path in files if not is_compiled(source, path)]


def is_compiled(source: Path, file: Path) -> bool:
    """Whether an earlier build got through with a file."""
    place = file.relative_to(source).with_suffix('.o')
    changed = file.stat().st_mtime
    return any(
        found.stat().st_mtime >= changed
        for found in source.glob(f'build/temp*/{place}')
    )


def finishing_times(works: list[float], jobs: int) -> list[float]:
    """When files are done that are compiled a few at a time, in order.

    Args:
        works (list[float]): How long each takes.
        jobs (int): How many at a time.

    Returns:
        list[float]: The moments, ascending.
    """
    free = [0.0] * jobs
    times = []
    for needed in works:
        done = heapq.heappop(free) + needed
        heapq.heappush(free, done)
        times.append(done)
    return sorted(times)


class BuildProgress:
    """Reads how far the build is from ninja's ``[2/6]``.

    The files done so far say how fast this machine is, as it is now; what
    their relative times say of the rest gives the time left.

    Args:
        works (list[float]): Relative times of the files, in their order.
        jobs (int): How many are compiled at a time.
    """

    def __init__(self, works: list[float], jobs: int) -> None:
        self.times = finishing_times(works, jobs) or [1.0]
        self.start = time.monotonic()
        self.before = 0.0

    def __call__(self, line: str) -> progress.Progress | None:
        """Take in one line of the build's output."""
        elapsed = time.monotonic() - self.start
        if COMPILING.match(line):
            self.before = elapsed
        found = NINJA_COUNT.match(line)
        if not found:
            return None
        done = min(int(found[1]), len(self.times))
        speed = (elapsed - self.before) / self.times[done - 1]
        expected = self.before + speed * (self.times[-1] + REST)
        return elapsed / expected, f'{found[1]}/{found[2]}'
