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
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.fileio import get
from mmengine.hub import get_config
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, DefaultScope
from mmengine.runner import Runner
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torchvision.transforms import RandomResizedCrop

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.datasets.transforms.encoded_image import (
    decode_image,
    jpeg_size,
)
from mmselfemd.engine.command_line import run_tool

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets'
SIZES = (224, 224, 112)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', required=True, help='folder of images')
    parser.add_argument('--images', type=int, default=200)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument(
        '--workers', type=int, nargs='*', default=[1, 2], metavar='N'
    )
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument(
        '--seconds', type=float, default=10, help='time with each N workers'
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def decode_and_cut(path: str) -> list[np.ndarray]:
    """The floor: what any pipeline has to do, by OpenCV's fastest means."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    views = []
    for size in SIZES:
        left, top, width, height = random_box(image)
        crop = image[top : top + height, left : left + width]
        views.append(cv2.resize(crop, (size, size)))
    return views


def random_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """A crop of BYOL's."""
    stand_in = torch.empty(1).expand(3, *image.shape[:2])
    top, left, height, width = RandomResizedCrop.get_params(
        stand_in, [0.08, 1.0], [3 / 4, 4 / 3]
    )
    return left, top, width, height


def our_config(name: str, data: str) -> Config:
    """A config of the data with the images of ``data``."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.train_dataloader.dataset.update(data_root=data, data_prefix='')
    return cfg


def mmpretrain_pipeline() -> list[dict]:
    """BYOL's own, with a third view like its second one."""
    cfg = get_config(
        'mmpretrain::byol/byol_resnet50_16xb256-coslr-200e_in1k.py'
    )
    small = deepcopy(cfg.view_pipeline2)
    small[0].scale = SIZES[2]
    load, views, pack = cfg.train_pipeline
    views.num_views = [1, 1, 1]
    views.transforms = [cfg.view_pipeline1, cfg.view_pipeline2, small]
    return [load, views, pack]


def images_through(
    cfg: ConfigDict, pipeline: list[dict], scope: str = 'mmselfemd'
) -> BaseDataset:
    """The images of a dataset's config, with a pipeline of a scope."""
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(dict(cfg, pipeline=[]))
    with DefaultScope.overwrite_default_scope(scope):
        dataset.pipeline = Compose(pipeline)
    return dataset


def contestants(data: str) -> tuple[list[str], dict[str, Callable]]:
    """Paths of the images, and what makes the views of one, by its number."""
    ours, on_host = (
        our_config(name, data)
        for name in ('coco_views_on_device', 'coco_views')
    )
    images = ours.train_dataloader.dataset
    datasets = {
        'mmselfemd': images_through(images, ours.train_pipeline),
        'mmselfemd, colours on the host': images_through(
            images, on_host.train_pipeline
        ),
        'mmpretrain': images_through(
            images, mmpretrain_pipeline(), 'mmpretrain'
        ),
    }
    dataset = datasets['mmselfemd']
    paths = [
        dataset.get_data_info(number)['img_path']
        for number in range(len(dataset))
    ]
    makers = {name: each.__getitem__ for name, each in datasets.items()}
    return paths, {'floor': lambda i: decode_and_cut(paths[i])} | makers


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
    cfg = our_config('coco_views_on_device', args.data)
    paths, makers = contestants(args.data)
    numbers = range(min(args.images, len(paths)))
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
    table = Table('workers', 'images a second')
    for number, rate in results['images_per_second_with_workers'].items():
        table.add_row(str(number), f'{rate:.0f}')
    console.print(table)


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
