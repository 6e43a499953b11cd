"""What a run has to its disposal on this machine."""

import os
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.device import get_device

from mmselfemd.device import NO_OPERATORS, has_cuda_operators
from mmselfemd.plurals import counted

_LIMITS = (  # of a container, by version of Linux's control groups
    '/sys/fs/cgroup/memory.max',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


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
    cores = len(os.sched_getaffinity(0))
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
    for limit in map(Path, _LIMITS):
        text = limit.read_text().strip() if limit.is_file() else ''
        if text.isdigit():  # else 'max'
            sizes.append(int(text))
    return min(sizes)
