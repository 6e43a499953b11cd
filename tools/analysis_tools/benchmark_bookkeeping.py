"""What logging an iteration costs, early and late in a run.

Times the hooks that log (mmengine's RuntimeInfoHook, IterTimerHook and
LoggerHook), without a model, on runs that are set to an iteration: with this
package's BoundedHistoryHook and as mmengine leaves it, in turns. See
docs/long_runs.md.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

from mmselfemd.engine.command_line import run_tool

EPOCH = 462  # iterations; the published run has 800 of them
INTERVAL = 50  # one iteration in so many goes to the log
EARLY, PUBLISHED, LATE = 1_000, 800 * EPOCH, 1_000_000
LOSSES = [f'loss_{number}' for number in range(9)]
# With the learning rate and two times a dozen.
SCALARS = ['lr', 'time', 'data_time', *LOSSES]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--rounds', type=int, default=10, help='(default: %(default)s)'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


class Weight(BaseModel):
    """One number: nothing of a model is timed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self) -> None:
        """Not called."""


class Run:
    """The logging of a run that has come to an iteration.

    Args:
        work_dir (str): Folder of its log and of its checkpoint.
        iteration (int): Iterations that are done.
        bounded (bool): Whether BoundedHistoryHook is there.
    """

    def __init__(self, work_dir: str, iteration: int, bounded: bool) -> None:
        hooks = dict.fromkeys(('param_scheduler', 'sampler_seed'))
        hooks |= dict(
            logger=dict(type='LoggerHook', interval=INTERVAL),
            checkpoint=dict(type='mmselfemd.SafeCheckpointHook'),
        )
        if bounded:
            hooks['bounded'] = dict(type='mmselfemd.BoundedHistoryHook')
        self.runner = Runner(
            model=Weight(),
            work_dir=work_dir,
            train_dataloader=dict(
                dataset=[0] * EPOCH,
                batch_size=1,
                sampler=dict(type='DefaultSampler'),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=10 * LATE // EPOCH),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=hooks,
            log_processor=dict(window_size=50),
            experiment_name=f'{iteration} {bounded} {os.urandom(4).hex()}',
            log_level='ERROR',
        )
        self._start(iteration)

    def _start(self, iteration: int) -> None:
        """As a run that was resumed there."""
        runner = self.runner
        runner._train_loop = runner.build_train_loop(runner._train_loop)
        runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
        runner.train_loop._iter = iteration
        runner.train_loop._epoch = iteration // EPOCH
        values = np.random.default_rng(0).random(iteration)
        for name in SCALARS:
            runner.message_hub.log_scalars[f'train/{name}'] = HistoryBuffer(
                values, np.ones(iteration, int)
            )
            runner.message_hub._resumed_keys[f'train/{name}'] = True
        for stage in ('before_run', 'before_train', 'before_train_epoch'):
            runner.call_hook(stage)

    def log(self) -> float:
        """Seconds of this process for the logging of an iteration."""
        runner = self.runner
        outputs = dict.fromkeys(LOSSES, 0.5)
        start = time.process_time()
        for _ in range(INTERVAL):
            batch = dict(batch_idx=runner.iter % EPOCH)
            runner.call_hook('before_train_iter', **batch)
            runner.call_hook('after_train_iter', **batch, outputs=outputs)
            runner.train_loop._iter += 1
        return (time.process_time() - start) / INTERVAL

    def checkpoint_bytes(self) -> int:
        """Size of a checkpoint, the weights of a model not in it."""
        path = Path(self.runner.work_dir, 'checkpoint.pth')
        self.runner.save_checkpoint(str(path.parent), path.name)
        return path.stat().st_size


def measure(args: argparse.Namespace, folder: str) -> dict:
    """Each kind of run at each iteration, in turns."""
    runs = {
        (kind, iteration): Run(
            f'{folder}/{kind}_{iteration}', iteration, kind == 'ours'
        )
        for kind, iterations in (
            ('ours', (EARLY, PUBLISHED, LATE)),
            ('upstream', (EARLY, PUBLISHED)),
        )
        for iteration in iterations
    }
    ours = [key for key in runs if key[0] == 'ours']
    upstream = [key for key in runs if key[0] == 'upstream']
    seconds = {key: [] for key in runs}
    for number in track(range(args.rounds + 1), description='rounds'):
        for key in ours * 10 + upstream:  # ours take a hundredth of the time
            taken = runs[key].log()
            if number:  # the first one warms up
                seconds[key].append(taken)
    # The least, as timeit has it: what is above it, others have caused.
    found = {key: min(taken) for key, taken in seconds.items()}
    return dict(
        late_over_early=found['ours', LATE] / found['ours', EARLY],
        upstream_over_ours=found['upstream', PUBLISHED]
        / found['ours', PUBLISHED],
        runs=[
            dict(
                kind=kind,
                iteration=iteration,
                seconds=found[kind, iteration],
                checkpoint_bytes=run.checkpoint_bytes(),
            )
            for (kind, iteration), run in runs.items()
        ],
    )


def show(figures: dict) -> None:
    """Print a table."""
    table = Table('', 'iteration', 'ms', 'checkpoint, kB')
    for run in figures['runs']:
        table.add_row(
            run['kind'],
            f'{run["iteration"]:,}',
            f'{1e3 * run["seconds"]:.3f}',
            f'{run["checkpoint_bytes"] / 1e3:.1f}',
        )
    console = Console()
    console.print(table)
    for name in ('late_over_early', 'upstream_over_ours'):
        console.print(f'{name}: {figures[name]:.2f}')


def main() -> None:
    """Measure and print."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, folder)
    show(figures)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
