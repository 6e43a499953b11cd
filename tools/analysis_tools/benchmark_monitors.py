"""What the monitors of a pre-training run cost, as a share of its steps.

Times training steps of a config's model on made-up images, and the
measurements of its monitors on what the head is given and makes of it, in
one run. See docs/monitors.md.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.models import SelfEMD
from mmselfemd.monitors.head_monitor_hook import HeadMonitorHook
from mmselfemd.registry import HOOKS
from mmselfemd.visualization.view_pipeline import cut_views_of, view_pipeline
from mmselfemd.zoo.frozen_backbone import build_untrained


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of a pre-training run')
    parser.add_argument(
        '--batch-size', type=int, default=8, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='(default: %(default)s)'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def made_up_batch(sizes: list[int], batch_size: int) -> dict:
    """Views of noise, each cut from the whole image."""
    views = [dict(box=(0, 0, s, s), flip=False, size=s) for s in sizes]
    return dict(
        inputs=[
            torch.randint(256, (batch_size, 3, s, s), dtype=torch.uint8)
            for s in sizes
        ],
        data_samples=[
            DataSample(metainfo=dict(views=views)) for _ in range(batch_size)
        ],
    )


def seconds(function: Callable[[], object], repeats: int, what: str) -> float:
    """Median time of a call, after one to warm up."""
    times = []
    for _ in track(range(repeats + 1), description=what):
        start = time.perf_counter()
        function()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return median(times[1:])


def build(args: argparse.Namespace) -> tuple[SelfEMD, dict, dict]:
    """The model, its monitors and a batch."""
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    MMLogger.get_current_instance().setLevel('WARNING')
    model = build_untrained(cfg)
    if not isinstance(model, SelfEMD):
        raise UserError(f'{args.config} has no monitors: it is not SelfEMD')
    built = {
        name: HOOKS.build(hook)
        for name, hook in cfg.default_hooks.items()
        if name.endswith('monitor')
    }
    monitors = {
        name: hook
        for name, hook in built.items()
        if isinstance(hook, HeadMonitorHook)
        and isinstance(model.head, hook.head_type)
    }
    model.reset_key()
    model.has_momentum_hook = True
    views = cut_views_of(view_pipeline(cfg))['views']
    sizes = [view['size'] for view in views]
    return (
        model.to(get_device()),
        monitors,
        made_up_batch(sizes, args.batch_size),
    )


def losses_of(model: SelfEMD, batch: dict) -> dict[str, torch.Tensor]:
    """A forward pass, as in training."""
    return model.loss(**model.data_preprocessor(batch, training=True))


def time_steps(model: SelfEMD, batch: dict, repeats: int) -> float:
    """Seconds of a training step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def step() -> None:
        loss, _ = model.parse_losses(losses_of(model, batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return seconds(step, repeats, 'steps')


def time_monitors(
    model: SelfEMD,
    monitors: dict[str, HeadMonitorHook],
    batch: dict,
    repeats: int,
) -> dict[str, float]:
    """Seconds of a measurement of each monitor, on one forward pass."""
    seen = []
    handle = model.head.register_forward_hook(
        lambda head, views, losses: seen.extend((*views, losses))
    )
    losses_of(model, batch)
    handle.remove()
    queries, keys, losses = seen
    runner = SimpleNamespace(
        model=model, iter=0, cfg={}, param_schedulers=[], optim_wrapper=None
    )

    def measure(hook: HeadMonitorHook) -> None:
        hook.keep(queries, keys, losses)
        with torch.no_grad():
            hook.measure(runner, queries, keys, batch)

    times = {}
    for name, hook in monitors.items():
        hook.before_train(runner)
        times[name] = seconds(partial(measure, hook), repeats, name)
    return times


def main() -> None:
    """Time steps and monitors."""
    args = parse_args()
    model, monitors, batch = build(args)
    step = time_steps(model, batch, args.repeats)
    times = time_monitors(model, monitors, batch, args.repeats)
    figures = dict(step_seconds=step)
    table = Table('', 'ms', 'every', 'share of a step')
    table.add_row('step', f'{1e3 * step:.1f}')
    total = 0.0
    for name, cost in times.items():
        interval = monitors[name].interval
        share = cost / interval / step
        total += share
        figures[name] = dict(
            seconds=cost, interval=interval, share_of_step=share
        )
        table.add_row(name, f'{1e3 * cost:.1f}', str(interval), f'{share:.3%}')
    figures['share_of_step'] = total
    table.add_row('all monitors', '', '', f'{total:.3%}')
    Console().print(table)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
