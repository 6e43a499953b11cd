"""How much of the labels of ground-truth boxes can be read off a backbone.

Accuracy of nearest neighbours and of a class-balanced ridge regression from
the pooled last map of the frozen backbone, beside the untrained network and
chance. See docs/reading_boxes.md.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from comparison_tables import (
    add_checkpoints,
    difference_table,
    reference_of,
    with_error,
)
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.utils import track_iter_progress
from rich.console import Console
from rich.table import Column, Table

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.evaluation.box_features import check_apart, read_boxes
from mmselfemd.evaluation.boxes import Boxes, cut_boxes
from mmselfemd.evaluation.comparison import compare
from mmselfemd.evaluation.reading import chance_levels, reading_figures
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone

FIGURES = ('knn', 'knn_balanced', 'ridge')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='the config of the pre-training')
    add_checkpoints(parser)
    parser.add_argument(
        '--images', required=True, help="folder of the annotations' images"
    )
    parser.add_argument('--train', required=True, help='COCO-style JSON')
    parser.add_argument('--val', required=True, help='COCO-style JSON')
    parser.add_argument(
        '--size', type=_positive, default=112, help='side of a crop, pixels'
    )
    parser.add_argument(
        '--min-side',
        type=float,
        default=8,
        help='boxes with a shorter side in pixels are left out',
    )
    parser.add_argument(
        '--max-boxes',
        type=_positive,
        default=20000,
        help='draw so many boxes of each file (default: %(default)s)',
    )
    parser.add_argument('--batch-size', type=_positive, default=64)
    parser.add_argument(
        '--statistics',
        choices=['batch', 'running'],
        default='batch',
        help='what batch norms use (default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the draw, order and split'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    add_cfg_options(parser)
    return parser.parse_args()


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{text}: expected 1 or more')
    return value


def cut(
    args: argparse.Namespace, mapping: ValueMapping
) -> tuple[Boxes, Boxes]:
    """Cut the boxes of both files, once for all networks."""
    sets = []
    for path in (args.train, args.val):
        print(f'Cutting the boxes of {path}')
        sets.append(
            cut_boxes(
                path,
                args.images,
                args.size,
                args.min_side,
                args.max_boxes,
                args.seed,
                track,
                mapping,
            )
        )
    check_apart(*sets)
    return sets[0], sets[1]


def track(tasks: Sequence) -> Iterator:
    """Show mmengine's progress bar, and end its line."""
    yield from track_iter_progress(tasks)
    print()


def summary_of(train: Boxes, val: Boxes, args: argparse.Namespace) -> dict:
    """What is known before a network has run."""
    return dict(
        settings={name: str(value) for name, value in vars(args).items()},
        boxes=dict(train=len(train.labels), val=len(val.labels)),
        classes=dict(train=len(set(train.labels)), val=len(set(val.labels))),
        chance=chance_levels(train.labels, val.labels)._asdict(),
        readings={},
    )


def show(summary: dict, reference: str) -> None:
    """Print tables."""
    boxes = summary['boxes']
    table = Table(
        Column(overflow='fold'),
        'kNN accuracy',
        'kNN, balanced',
        'ridge, balanced',
        'strength',
        title=f'{boxes["train"]} boxes for training, {boxes["val"]} for '
        f'validation, {summary["classes"]["val"]} classes',
    )
    for name, reading in summary['readings'].items():
        table.add_row(
            name,
            *(with_error(reading, figure) for figure in FIGURES),
            f'{reading["ridge_strength"]:g}',
        )
    table.add_section()
    chance = summary['chance']
    balanced = f'{chance["balanced"]:.3f}'
    table.add_row('chance', f'{chance["knn"]:.3f}', balanced, balanced)
    console = Console()
    console.print(table)
    if len(summary['readings']) > 1:
        console.print(
            difference_table(summary['readings'], reference, FIGURES)
        )


def main() -> None:
    """Measure the untrained network and every checkpoint."""
    args = parse_args()
    reference = reference_of(args)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    # How each weight was initialised would fill the screen.
    MMLogger.get_current_instance().setLevel('WARNING')
    model = build_untrained(cfg)
    # All are read before the first is measured: a wrong one loses no work.
    backbones = {'untrained': model.backbone} | {
        path: load_backbone(model, path, mapping_of(cfg))
        for path in args.checkpoints
    }
    train, val = cut(args, mapping_of(cfg))
    summary = summary_of(train, val, args)
    device = get_device()
    model.data_preprocessor.to(device)
    sums, settings = {}, {}
    for name, backbone in backbones.items():
        print(f'Reading {name}')
        start = time.time()
        reading = read_boxes(
            backbone.to(device),
            model.data_preprocessor,
            train,
            val,
            args.batch_size,
            args.statistics,
            args.seed,
            track,
        )
        backbone.cpu()
        sums[name] = reading.sums
        settings[name] = dict(
            ridge_strength=reading.ridge_strength,
            seconds=round(time.time() - start, 1),
        )
        compared = compare(sums, reading_figures, reference)
        summary['readings'] = {
            network: figures | settings[network]
            for network, figures in compared.items()
        }
        if args.json:
            args.json.write_text(json.dumps(summary, indent=2) + '\n')
    show(summary, reference)


if __name__ == '__main__':
    run_tool(main)
