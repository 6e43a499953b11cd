"""What the check of an annotation file costs beside its loading.

Makes a correct file of the size of COCO's train2017, and times pycocotools,
which loads and indexes it, and the check of what was parsed, in turns. No
image is looked at. See docs/own_boxes.md.
"""

import argparse
import contextlib
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmselfemd.datasets.annotations import check_content
from mmselfemd.engine.command_line import run_tool

WIDTH, HEIGHT = 640, 480
NUM_CATEGORIES = 80


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--num-images',
        type=int,
        default=118_000,
        help='(default: %(default)s)',
    )
    parser.add_argument(
        '--num-boxes', type=int, default=860_000, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--num-points',
        type=int,
        default=22,
        help='of the outline of each object (default: %(default)s, which '
        "makes the file as large as COCO's)",
    )
    parser.add_argument(
        '--rounds', type=int, default=3, help='(default: %(default)s)'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def write_file(args: argparse.Namespace, path: Path) -> None:
    """A file with the fields of COCO's; numbers are drawn."""
    generator = np.random.default_rng(0)
    left = generator.uniform(0, WIDTH / 2, args.num_boxes)
    top = generator.uniform(0, HEIGHT / 2, args.num_boxes)
    width, height = generator.uniform(20, HEIGHT / 2, (2, args.num_boxes))
    image_ids = generator.integers(args.num_images, size=args.num_boxes)
    # Each has a box, as far as there are enough.
    image_ids[: args.num_images] = np.arange(args.num_images)[: args.num_boxes]
    categories = generator.integers(NUM_CATEGORIES, size=args.num_boxes)
    outline = generator.uniform(0, 480, 2 * args.num_points).round(2).tolist()
    with open(path, 'w') as file:
        file.write('{"images": [')
        file.write(
            ', '.join(
                '{"license": 3, '
                f'"file_name": "{number:012}.jpg", '
                f'"coco_url": "http://images.cocodataset.org/{number:012}", '
                f'"height": {HEIGHT}, "width": {WIDTH}, '
                f'"date_captured": "2013-11-14 11:18:45", "id": {number}}}'
                for number in range(1, args.num_images + 1)
            )
        )
        file.write('], "annotations": [')
        rows = zip(
            image_ids.tolist(),
            left.tolist(),
            top.tolist(),
            width.tolist(),
            height.tolist(),
            categories.tolist(),
            strict=True,
        )
        head = f'{{"segmentation": [{outline}], "iscrowd": 0, '
        file.write(
            ', '.join(
                f'{head}"area": {w * h:.2f}, "image_id": {image + 1}, '
                f'"bbox": [{x:.2f}, {y:.2f}, {w:.2f}, {h:.2f}], '
                f'"category_id": {category + 1}, "id": {number}}}'
                for number, (image, x, y, w, h, category) in enumerate(rows, 1)
            )
        )
        file.write('], "categories": ')
        names = [
            dict(supercategory='thing', id=k, name=f'thing {k}')
            for k in range(1, NUM_CATEGORIES + 1)
        ]
        file.write(json.dumps(names) + '}')


def seconds_of(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this process, and what it gave."""
    start = time.process_time()
    found = action()
    return time.process_time() - start, found


def load(path: Path) -> COCO:
    """As every reader of COCO files begins."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def measure(args: argparse.Namespace, path: Path) -> dict:
    """Both in turns."""
    write_file(args, path)
    rounds = []
    for _ in track(range(args.rounds), description='rounds'):
        loading, coco = seconds_of(lambda: load(path))
        checking, (table, findings) = seconds_of(
            lambda coco=coco: check_content(coco.dataset, str(path))
        )
        del coco
        rounds.append(dict(load_and_index=loading, check=checking))
    loading = min(each['load_and_index'] for each in rounds)
    checking = min(each['check'] for each in rounds)
    return dict(
        images=args.num_images,
        boxes=args.num_boxes,
        megabytes=path.stat().st_size / 1e6,
        load_and_index=loading,
        check=checking,
        check_over_load=checking / loading,
        stops=len(findings.stops),
        rounds=rounds,
    )


def show(figures: dict) -> None:
    """Print a table."""
    table = Table('', 'seconds')
    table.add_row(
        'pycocotools: load and index', f'{figures["load_and_index"]:.2f}'
    )
    table.add_row('check of what was parsed', f'{figures["check"]:.2f}')
    console = Console()
    console.print(table)
    console.print(
        f'{figures["images"]:,} images, {figures["boxes"]:,} boxes, '
        f'{figures["megabytes"]:.0f} MB; '
        f'check_over_load: {figures["check_over_load"]:.3f}'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(args, Path(folder, 'annotations.json'))
    show(figures)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
