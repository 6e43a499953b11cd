"""What a run has to its disposal on this machine."""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import torch
from mmengine.device import get_device

from mmselfemd.device import NO_OPERATORS, has_cuda_operators
from mmselfemd.plurals import counted

_GROUPS = Path('/sys/fs/cgroup')  # Linux's control groups
_OWN_GROUP = Path('/proc/self/cgroup')
_MANY = 1 << 20  # as good as no limit


class Machine(NamedTuple):
    """What there is for a run.

    Attributes:
        num_gpus (int): GPUs; 0 for a run on the CPU.
        memory (float): GiB of the smallest of them, or of the RAM.
        num_cores (int): Cores of the CPU that this process may use.
        unused_gpu (str): Why a GPU that is there is not used. Defaults to
            '': there is none, or it is used.
    """

    num_gpus: int
    memory: float
    num_cores: int
    unused_gpu: str = ''

    def __str__(self) -> str:
        cores = counted(self.num_cores, 'core')
        if not self.num_gpus:
            gpu = 'a GPU that is not used' if self.unused_gpu else 'no GPU'
            found = f'{gpu}, {cores}, {self.memory:.0f} GiB of RAM'
            return f'{found}: {self.unused_gpu}' if self.unused_gpu else found
        gpus = counted(self.num_gpus, 'GPU')
        return f'{gpus} of {self.memory:.0f} GiB, {cores}'


def find_machine(for_detector: bool = False) -> Machine:
    """Look at this machine.

    Args:
        for_detector (bool): Whether a detector is to run, which needs GPU
            operators of mmcv to use a GPU. Defaults to False.

    Returns:
        Machine: What there is. All of the RAM counts, whatever else uses it
        now, so that the same command chooses the same.
    """
    cores = min(len(os.sched_getaffinity(0)), *_limits_of_cores())
    is_on_gpu = get_device() == 'cuda'
    if is_on_gpu and (has_cuda_operators() or not for_detector):
        sizes = [
            torch.cuda.get_device_properties(number).total_memory
            for number in range(torch.cuda.device_count())
        ]
        return Machine(len(sizes), min(sizes) / 2**30, cores)
    unused = NO_OPERATORS if is_on_gpu else ''
    return Machine(0, _ram() / 2**30, cores, unused)


def _ram() -> int:
    sizes = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
    for name in ('memory.max', 'memory.limit_in_bytes'):
        for (size,) in _limits('memory', name):
            if size.isdigit():  # else 'max'
                sizes.append(int(size))
    return min(sizes)


def _limits_of_cores() -> list[int]:
    """Of a container: a quota of time that counts as so many cores."""
    # Version 2 has both numbers in one file.
    quotas = [*_limits('cpu', 'cpu.max')] + [
        (quota, period)
        for (quota,), (period,) in zip(
            _limits('cpu', 'cpu.cfs_quota_us'),
            _limits('cpu', 'cpu.cfs_period_us'),
            strict=False,
        )
    ]
    return [_MANY] + [
        ceil(int(quota) / int(period))
        for quota, period in quotas
        if quota.isdigit() and period.isdigit()  # else 'max', or -1
    ]


def _limits(controller: str, name: str) -> Iterator[list[str]]:
    """What a file says in the own control group and in those around it.

    In version 1 each controller has a tree of its own. Seen from within a
    container the root is its own group, whatever path the process is said to
    be at.
    """
    own = _OWN_GROUP.read_text() if _OWN_GROUP.is_file() else ''
    found = [PurePosixPath('/')]
    for line in own.splitlines():
        _, controllers, path = line.split(':', 2)
        if controllers in ('', controller) or controller in (
            controllers.split(',')
        ):
            found += [PurePosixPath(path), *PurePosixPath(path).parents]
    for root in (_GROUPS, _GROUPS / controller):
        for path in dict.fromkeys(found):
            file = root / path.relative_to('/') / name
            if file.is_file():
                yield file.read_text().split()
