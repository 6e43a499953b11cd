"""Speed of a training step, where its time goes, and mmpretrain's BYOL.

Whole steps in turn: of a config's model, of BYOL of the same backbone and
widths by this package, and of mmpretrain's BYOL; these two on the same two
views. Normalised images go straight into the model, without a data
preprocessor. Compare the ratios; the times themselves depend on the machine.
On a CPU it is the time that this process had the CPU, all threads summed, so
that others on the machine do not count: set OMP_NUM_THREADS=1 to have it equal
the time of a step on an idle machine. See docs/step.md.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from statistics import median

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from rich.console import Console
from rich.progress import track
from rich.table import Table
from step_contestants import (
    Step,
    config_step,
    mmpretrain_byol_step,
    our_byol_step,
)
from step_launches import launches
from step_memory import step_memory
from step_parts import Stopwatch, dense_head_alone, emd_alone, now
from torch import Tensor

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.visualization.view_pipeline import cut_views_of, view_pipeline

#: What is timed beside the config's own step.
CONTESTANTS = (
    'step_in_parts',
    'emd',
    'dense_head',
    'byol_step',
    'mmpretrain_byol_step',
)
#: Figures that are one contestant's time over another's.
RATIOS = dict(
    emd_overhead=('emd', 'step'),
    dense_head_overhead=('dense_head', 'step'),
    speedup_over_mmpretrain=('mmpretrain_byol_step', 'byol_step'),
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='of a Self-EMD or BYOL run')
    parser.add_argument(
        '--batch-size', type=int, default=8, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--fit-memory',
        action='store_true',
        help="halve the batch until a step fits into the GPU's memory",
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=inf,
        help='no new round after so many seconds of rounds (default: none)',
    )
    parser.add_argument(
        '--contestants',
        nargs='*',
        choices=CONTESTANTS,
        default=CONTESTANTS,
        metavar='NAME',
        help="what to time beside the config's step: "
        + ', '.join(CONTESTANTS)
        + ' (default: all)',
    )
    parser.add_argument(
        '--tf32',
        choices=['on', 'off'],
        help='whether a GPU may round float32 to TF32 in products of '
        "matrices and in convolutions (default: as torch's defaults are, in "
        'convolutions alone)',
    )
    parser.add_argument(
        '--mmpretrain-amp',
        nargs='?',
        const='float16',
        choices=['float16', 'bfloat16'],
        help="let mmpretrain's BYOL use AMP, by default in float16; without "
        "this it has float32 and mmengine's plain optimiser wrapper, "
        'whatever the config sets',
    )
    parser.add_argument(
        '--memory',
        type=int,
        metavar='BATCH',
        help='instead: compute what a step of so many images keeps in memory',
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def make_views(cfg: Config, batch_size: int) -> list[Tensor]:
    """Noise, as large as the views of the config."""
    views = cut_views_of(view_pipeline(cfg))['views']
    return [
        torch.randn(
            batch_size, 3, view['size'], view['size'], device=get_device()
        )
        for view in views
    ]


def in_turns(
    contestants: dict[str, Callable[[], object]],
    repeats: int,
    seconds: float = inf,
) -> dict[str, list[float]]:
    """Seconds of each contestant in each round, after one to warm up.

    Every second round goes backwards, so that nobody is always first. There
    is one round at least, and none is begun after ``seconds``.
    """
    times = {name: [] for name in contestants}
    order = list(contestants)
    begin = time.monotonic()
    for turn in track(range(repeats + 1), description='rounds'):
        if turn > 1 and time.monotonic() - begin > seconds:
            break
        for name in order if turn % 2 else reversed(order):
            start = now()
            contestants[name]()
            elapsed = now() - start
            if turn:
                times[name].append(elapsed)
    return times


def ratio(
    times: dict[str, list[float]], numerator: str, denominator: str
) -> float:
    """Median over the rounds of one contestant's time over another's."""
    pairs = zip(times[numerator], times[denominator], strict=True)
    return median(a / b for a, b in pairs)


def peak_memory() -> int:
    """Bytes at most in use: tensors on a GPU, else the whole process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def contestants_of(
    cfg: Config, step: Step, args: argparse.Namespace
) -> dict[str, Callable[[], object]]:
    """The config's step and what was asked for beside it."""
    makers = dict(
        step_in_parts=lambda: Stopwatch(step),
        emd=lambda: emd_alone(step),
        dense_head=lambda: dense_head_alone(step),
        byol_step=lambda: our_byol_step(cfg, step.views[:2]),
        mmpretrain_byol_step=lambda: mmpretrain_byol_step(
            cfg, step.views[:2], args.mmpretrain_amp
        ),
    )
    asked = [name for name in CONTESTANTS if name in args.contestants]
    return dict(step=step) | {name: makers[name]() for name in asked}


def measure(cfg: Config, args: argparse.Namespace, batch_size: int) -> dict:
    """Time the contestants and the parts of the config's step."""
    step = config_step(cfg, make_views(cfg, batch_size))
    for _ in range(2):  # the optimiser's state is there from the second on
        step()
    memory = peak_memory()  # before there are others
    contestants = contestants_of(cfg, step, args)
    times = in_turns(contestants, args.repeats, args.seconds)
    medians = {name: median(each) for name, each in times.items()}
    figures = dict(
        device=get_device(),
        threads=torch.get_num_threads(),
        batch_size=batch_size,
        view_sizes=[view.shape[-1] for view in step.views],
        images_per_second=batch_size / medians['step'],
        peak_memory_bytes=memory,
    )
    if 'step_in_parts' in contestants:
        figures['breakdown'] = contestants['step_in_parts'].shares()
    for name, pair in RATIOS.items():
        if set(pair) <= times.keys():
            figures[name] = ratio(times, *pair)
    if 'emd' in contestants:
        figures['emd_launches'] = launches(contestants['emd'], medians['step'])
    return figures | dict(seconds=medians, rounds=times)


def measure_what_fits(cfg: Config, args: argparse.Namespace) -> dict:
    """Measure; with half the batch where the memory is not enough."""
    batch_size = args.batch_size
    while True:
        try:
            return measure(cfg, args, batch_size)
        except torch.OutOfMemoryError as error:
            if not args.fit_memory or batch_size == 1:
                smaller = ': take a smaller --batch-size, or --fit-memory'
                raise UserError(
                    f'{batch_size} images do not fit into the memory of the '
                    f'GPU{smaller if batch_size > 1 else ""}'
                ) from error
        # Outside of the handler, whose error holds the tensors.
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        batch_size //= 2
        print(f'Not enough memory: {batch_size} images instead.', flush=True)


def show(figures: dict) -> None:
    """Print what was measured."""
    console = Console()
    if 'breakdown' in figures:
        parts = Table('part of a step', 'share')
        for name, share in figures['breakdown'].items():
            parts.add_row(name, f'{share:.1%}')
        console.print(parts)
    kind = 'of tensors' if figures['device'] != 'cpu' else 'of the process'
    table = Table('', '')
    for name in ('step', 'byol_step', 'mmpretrain_byol_step'):
        if name in figures['seconds']:
            milliseconds = 1e3 * figures['seconds'][name]
            table.add_row(f'{name}, ms', f'{milliseconds:.1f}')
    table.add_row('images per second', f'{figures["images_per_second"]:.2f}')
    peak = figures['peak_memory_bytes'] / 2**30
    table.add_row(f'peak memory {kind}, GiB', f'{peak:.2f}')
    table.add_section()
    for name in ('emd_overhead', 'dense_head_overhead'):
        if name in figures:
            table.add_row(name, f'{figures[name]:.2%}')
    if 'speedup_over_mmpretrain' in figures:
        speedup = figures['speedup_over_mmpretrain']
        table.add_row('speedup_over_mmpretrain', f'{speedup:.3f}')
    if 'emd_launches' in figures:
        found = figures['emd_launches']
        table.add_row(
            'emd_launches', f'{found["count"]}, {found["share"]:.2%} of a step'
        )
    console.print(table)


def show_memory(figures: dict) -> None:
    """Print what was computed."""
    table = Table('GiB, computed, not measured', *figures)
    for name in next(iter(figures.values())):
        table.add_row(
            name, *(f'{each[name] / 2**30:.2f}' for each in figures.values())
        )
    Console().print(table)


def main() -> None:
    """Time, or compute; print and save."""
    args = parse_args()
    for name in ('batch_size', 'repeats', 'memory'):
        value = getattr(args, name)
        if value is not None and value < 1:
            option = name.replace('_', '-')
            raise UserError(f'--{option} must be at least 1, got {value}')
    if args.tf32:
        torch.backends.cuda.matmul.allow_tf32 = args.tf32 == 'on'
        torch.backends.cudnn.allow_tf32 = args.tf32 == 'on'
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    MMLogger.get_current_instance().setLevel('WARNING')
    if args.memory:
        figures = step_memory(cfg, make_views(cfg, 4), args.memory)
        show_memory(figures)
    else:
        figures = measure_what_fits(cfg, args)
        show(figures)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
