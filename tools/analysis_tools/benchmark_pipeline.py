"""Speed of the input pipeline beside mmpretrain's and the least possible.

Host time for views of 224, 224 and 112 pixels of real photographs, on one
core, image by image in turns: this package's pipeline, mmpretrain's of BYOL
with a third view, and "decode and cut three crops", which no pipeline can
avoid. Then where the time goes, what is left for the device, and the rate of
a data loader with workers. See docs/input.md.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from statistics import median

import cv2
import torch
from input_contestants import (
    SIZES,
    contestants,
    our_config,
    random_box,
    whole_images,
)
from mmengine.config import Config
from mmengine.fileio import get
from mmengine.registry import MODELS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.datasets.transforms.encoded_image import (
    decode_image,
    jpeg_size,
)
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserError


def positive(text: str) -> int:
    """A number of things that there must be."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'expected at least 1, got {text}')
    return int(text)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', required=True, help='folder of images')
    parser.add_argument('--images', type=positive, default=200)
    parser.add_argument('--rounds', type=positive, default=5)
    parser.add_argument(
        '--workers', type=int, nargs='*', default=[1, 2], metavar='N'
    )
    parser.add_argument('--batch', type=positive, default=32)
    parser.add_argument(
        '--seconds', type=float, default=10, help='time with each N workers'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--shrunk-dir',
        metavar='DIR',
        help='read large images at less from this folder, as a pre-training '
        'on many of them does by itself; the round that is not counted fills '
        'it',
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def host_times(
    makers: dict[str, Callable], numbers: Sequence[int], rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of processor time for an image, of each round.

    Image by image in turns, so that whatever else the machine does hits all
    alike. The first round, which fills the caches, is not kept.
    """
    times = defaultdict(list)
    for _ in track(range(rounds + 1), description='host'):
        spent = dict.fromkeys(makers, 0.0)
        for number in numbers:
            for name, make in makers.items():
                start = time.process_time()
                make(number)
                spent[name] += time.process_time() - start
        for name in makers:
            times[name].append(1e3 * spent[name] / len(numbers))
    return {name: each[1:] for name, each in times.items()}


def stages_of(pipeline: list[dict]) -> dict[str, Callable[[dict], object]]:
    """The stages of this package's pipeline, each a step on a dict."""
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        draws = [
            TRANSFORMS.build(view['photometric'][0])
            for view in pipeline[1]['views']
        ]
        pack = TRANSFORMS.build(pipeline[2])
    return dict(
        read=lambda item: item.update(content=get(item['path'])),
        header=lambda item: jpeg_size(item['content']),
        decode=lambda item: item.update(img=decode_image(item['content'])),
        draw=lambda item: item.update(
            boxes=[random_box(item['img']) for _ in SIZES],
            views=[draw(dict()) for draw in draws],
        ),
        cut=lambda item: item.update(
            img=[
                cut_view(item['img'], box, True, size, 'torch')
                for box, size in zip(item['boxes'], SIZES, strict=True)
            ]
        ),
        pack=pack,
    )


def stage_times(
    paths: Sequence[str], pipeline: list[dict], rounds: int
) -> dict[str, float]:
    """Milliseconds of processor time for an image in each stage."""
    stages = stages_of(pipeline)
    times = []
    for _ in track(range(rounds), description='stages'):
        spent = dict.fromkeys(stages, 0.0)
        for path in paths:
            item = dict(path=path)
            for name, stage in stages.items():
                start = time.process_time()
                stage(item)
                spent[name] += time.process_time() - start
        times.append(spent)
    return {
        name: 1e3 * min(spent[name] for spent in times) / len(paths)
        for name in stages
    }


def device_time(cfg: Config, batch: dict, device: str, rounds: int) -> float:
    """Milliseconds for an image in the preprocessor."""
    clock = time.process_time if device == 'cpu' else time.perf_counter
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        preprocessor = MODELS.build(cfg.data_preprocessor).to(device)
    times = []
    for _ in range(rounds + 1):
        start = clock()
        views = preprocessor(batch, True)['inputs']
        views[-1].sum().item()  # waits for the device
        times.append(clock() - start)
    return 1e3 * min(times[1:]) / len(batch['data_samples'])


def loader_rates(
    cfg: Config, workers: Sequence[int], batch: int, seconds: float
) -> tuple[dict[int, float], dict]:
    """Images a second out of a data loader, and one of its batches."""
    rates, data = {}, None
    for number in track(workers, description='loader'):
        loader_cfg = deepcopy(cfg.train_dataloader)
        loader_cfg.update(
            batch_size=batch,
            num_workers=number,
            persistent_workers=False,
            pin_memory=False,
            sampler=dict(type='InfiniteSampler'),
        )
        with DefaultScope.overwrite_default_scope('mmselfemd'):
            batches = iter(Runner.build_dataloader(loader_cfg))
        # What the workers made while they had nobody to wait for.
        for _ in range(1 + 2 * number):
            data = next(batches)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            data = next(batches)
            count += batch
        rates[number] = count / (time.perf_counter() - start)
        del batches
    return rates, data


def measure(args: argparse.Namespace) -> dict:
    """All of it."""
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    cfg = our_config('coco_views', args.data, args.shrunk_dir)
    paths, makers = contestants(args.data, args.shrunk_dir)
    numbers = whole_images(paths, args.images)
    if not numbers:
        raise UserError(
            f'--data {args.data}: none of {len(paths)} images can be read'
        )
    times = host_times(makers, numbers, args.rounds)
    ours = times['mmselfemd']
    rates, batch = loader_rates(
        cfg, args.workers or [0], args.batch, args.seconds
    )
    return dict(
        settings={name: str(value) for name, value in vars(args).items()},
        images=len(numbers),
        host_ms={name: min(each) for name, each in times.items()},
        images_per_second_and_core={
            name: 1e3 / min(each) for name, each in times.items()
        },
        host_speedup_over_mmpretrain=median_ratio(times['mmpretrain'], ours),
        host_time_over_floor=median_ratio(ours, times['floor']),
        stages_ms=stage_times(
            [paths[number] for number in numbers],
            cfg.train_pipeline,
            args.rounds,
        ),
        device_ms=device_time(cfg, batch, args.device, args.rounds),
        images_per_second_with_workers=rates,
    )


def median_ratio(times: Sequence[float], others: Sequence[float]) -> float:
    """Median over the rounds of one time over another."""
    return median(a / b for a, b in zip(times, others, strict=True))


def show(results: dict) -> None:
    """Print tables."""
    console = Console()
    table = Table('host, one core', 'ms an image', 'images a second')
    for name, value in results['host_ms'].items():
        rate = results['images_per_second_and_core'][name]
        table.add_row(name, f'{value:.2f}', f'{rate:.0f}')
    table.add_section()
    for key in ('host_speedup_over_mmpretrain', 'host_time_over_floor'):
        table.add_row(key, f'{results[key]:.2f}', '')
    console.print(table)
    table = Table('where the time goes', 'ms an image')
    for name, value in results['stages_ms'].items():
        table.add_row(name, f'{value:.3f}')
    device = results['settings']['device']
    table.add_row(f'colours, on {device}', f'{results["device_ms"]:.2f}')
    console.print(table)
    for number, rate in results['images_per_second_with_workers'].items():
        console.print(f'{number} workers: {rate:.0f} images a second')


def main() -> None:
    """Run the benchmark."""
    args = parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    results = measure(args)
    show(results)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
