"""Memory of the list of images, and of the workers that read them.

The workers of a config's data set over an epoch. Then the list: bytes a path,
the peak while it is made, and by how much each worker's own memory grows when
it reads all of it; ours beside mmengine's and a plain list. Linux alone tells
what a process shares. See docs/input.md.
"""

import argparse
import gc
import json
import os
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, default_collate
from mmengine.registry import DATASETS, DefaultScope
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.utils.data import DataLoader

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.datasets.path_list import PathList
from mmselfemd.engine.command_line import run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError

ROOT = 'data/coco/train2017/'
MIB = 1 << 20


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config whose training data are read')
    parser.add_argument(
        '--data', help='folder of images in place of those of the config'
    )
    parser.add_argument(
        '--paths', type=int, default=1_000_000, help='length of the lists'
    )
    parser.add_argument(
        '--images', type=int, default=10_000, help='images of the epoch'
    )
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--json', type=Path, help='file for the results')
    return parser.parse_args()


def memory(name: str) -> int:
    """Bytes of this process that Linux gives by that name."""
    lines = Path('/proc/self/smaps_rollup').read_text().splitlines()
    return sum(
        1024 * int(line.split()[1]) for line in lines if line.startswith(name)
    )


def synthetic_paths(number: int) -> Iterator[str]:
    """Paths like those of COCO."""
    return (f'{ROOT}{index:012}.jpg' for index in range(number))


class PickledPaths(BaseDataset):
    """mmengine's way: a pickled dict for each image."""

    def load_data_list(self) -> list[dict]:
        """The list before it is pickled."""
        return [dict(img_path=path) for path in synthetic_paths(self.ann_file)]

    def _join_prefix(self) -> None:
        """There is no file."""


KINDS: dict[str, Callable[[int], Sequence]] = {
    'ours': lambda number: PathList(synthetic_paths(number), ROOT),
    'mmengine': lambda number: PickledPaths(ann_file=number),
    'list of str': lambda number: list(synthetic_paths(number)),
}


def in_workers(number: int, function: Callable[[], Any]) -> list:
    """What a function gives in each of several workers."""
    loader = DataLoader(
        range(number), num_workers=number, collate_fn=lambda _: function()
    )
    return list(loader)


def list_costs(number: int, workers: int) -> dict[str, dict[str, float]]:
    """Bytes a path of each kind of list."""

    def growth(paths: Sequence) -> int:
        gc.disable()  # a collection writes to all there is, not to the list
        before = memory('Private')
        for index in range(number):
            if isinstance(paths, BaseDataset):
                paths.get_data_info(index)
            else:
                paths[index]
        return memory('Private') - before

    costs = {}
    for kind in track(KINDS, description='lists'):
        tracemalloc.start()  # unlike Linux, it sees what is used again
        paths = KINDS[kind](number)
        kept, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        grown = in_workers(workers, lambda paths=paths: growth(paths))
        costs[kind] = dict(
            kept=kept / number,
            peak=peak / number,
            growth_of_a_worker=max(grown) / number,
        )
        del paths
    return costs


def report_memory(batch: list) -> tuple[int, int, int]:
    """In a worker, in place of its batch: what it takes at this moment."""
    collated = default_collate(batch)
    found = os.getpid(), memory('Rss'), memory('Private')
    del collated
    return found


def epoch_memory(cfg: Config, images: int, workers: int) -> dict[str, dict]:
    """Mean memory of the workers at points of an epoch, in MiB."""
    loader_cfg = cfg.train_dataloader
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(loader_cfg.dataset)
    rounds = -(-images // len(dataset))
    order = torch.cat([torch.randperm(len(dataset)) for _ in range(rounds)])
    loader = DataLoader(
        dataset,
        batch_size=loader_cfg.batch_size,
        sampler=order[:images].tolist(),
        num_workers=workers,
        collate_fn=report_memory,
    )
    found = defaultdict(list)
    for pid, resident, private in track(loader, description='epoch'):
        found[pid].append((resident, private))
    points = {}
    for share in (0.1, 0.5, 1.0):  # at first, each worker is still filling
        taken = [
            each[max(round(share * len(each)) - 1, 0)]
            for each in found.values()
        ]
        points[f'{share:.0%}'] = dict(
            resident=mean(resident for resident, _ in taken) / MIB,
            private=mean(private for _, private in taken) / MIB,
        )
    return points


def measure(args: argparse.Namespace) -> dict:
    """All of it."""
    if args.workers < 1:
        raise UserError(f'--workers {args.workers}: at least 1 is measured')
    cfg = load_config(args.config)
    if args.data:
        cfg.train_dataloader.dataset.update(
            data_root=args.data, data_prefix='', ann_file=''
        )
    check_data_paths(cfg, ['train'])
    torch.set_num_threads(1)
    # The epoch first: workers inherit what the lists would leave behind.
    epoch = epoch_memory(cfg, args.images, args.workers)
    return dict(
        settings={name: str(value) for name, value in vars(args).items()},
        mib_of_a_worker=epoch,
        bytes_a_path=list_costs(args.paths, args.workers),
    )


def show(results: dict) -> None:
    """Print tables."""
    console = Console()
    for key in ('mib_of_a_worker', 'bytes_a_path'):
        rows = results[key]
        table = Table(
            key.replace('_', ' '),
            *(name.replace('_', ' ') for name in next(iter(rows.values()))),
        )
        for name, row in rows.items():
            table.add_row(name, *(f'{value:.1f}' for value in row.values()))
        console.print(table)


def main() -> None:
    """Run the measurement."""
    args = parse_args()
    results = measure(args)
    show(results)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
