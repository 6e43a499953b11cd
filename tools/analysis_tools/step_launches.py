"""What it costs a step that its transport is made of many small kernels."""

from collections.abc import Callable

import torch
from mmengine.device import get_device
from step_parts import now
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

#: The driver's and the runtime's calls that start a kernel.
_LAUNCHES = ('cudaLaunchKernel', 'cuLaunchKernel')
_TRIED = 1000


def launches(part: Callable[[], object], step_seconds: float) -> dict:
    """Count the kernels that a part of a step starts, and what that costs.

    Args:
        part (Callable): The part, as it is in one step.
        step_seconds (float): How long a whole step takes.

    Returns:
        dict: ``count`` of kernels (on a CPU, which starts none, of torch's
        operators), ``seconds_each`` that this machine takes to start one that
        does next to nothing, and ``share`` of a step, both multiplied over
        the step. That is an upper bound on a GPU, which works meanwhile.
    """
    activities = [ProfilerActivity.CPU]
    if get_device() == 'cuda':
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiled:
        part()
    events = profiled.events()
    started = [each for each in events if each.name.startswith(_LAUNCHES)]
    if get_device() == 'cpu':
        started = [each for each in events if _is_outermost_operator(each)]
    each = launch_seconds()
    return dict(
        count=len(started),
        seconds_each=each,
        share=len(started) * each / step_seconds,
    )


def launch_seconds() -> float:
    """Seconds to start a kernel that does next to nothing, in a row."""
    number = torch.zeros(1, device=get_device())
    for _ in range(_TRIED):
        number.add_(1)
    start = now()
    for _ in range(_TRIED):
        number.add_(1)
    return (now() - start) / _TRIED


def _is_outermost_operator(event: FunctionEvent) -> bool:
    if not event.name.startswith('aten::'):
        return False
    outer = event.cpu_parent
    while outer is not None:
        if outer.name.startswith('aten::'):
            return False
        outer = outer.cpu_parent
    return True
