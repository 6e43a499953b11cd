"""A thousand resamples of a comparison beside evaluations by pycocotools.

Makes two detectors' results up, of the size of VOC 2007's test set, and times
in one run: both evaluations as everyone does them, and from their matches the
average precision of as many resamples of the images for both. See
docs/did_it_help.md.
"""

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from rich.table import Table

from mmselfemd.comparison import METRICS, DetectionMatches, compare_metrics
from mmselfemd.engine.command_line import run_tool

WIDTH, HEIGHT = 500, 375


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--num-images', type=int, default=5000, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--num-classes', type=int, default=20, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--num-boxes',
        type=float,
        default=3,
        help='objects of an image, on average (default: %(default)s)',
    )
    parser.add_argument(
        '--num-wrong',
        type=float,
        default=20,
        help='detections of an image that are wrong, on average '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--resamples', type=int, default=1000, help='(default: %(default)s)'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def make_annotations(
    args: argparse.Namespace, rng: np.random.Generator
) -> COCO:
    """Objects of all sizes; the first classes are the most frequent."""
    count = round(args.num_boxes * args.num_images)
    share = 1 / np.arange(2, args.num_classes + 2)
    categories = rng.choice(args.num_classes, count, p=share / share.sum())
    images = rng.integers(args.num_images, size=count)
    sides = np.exp(rng.uniform(np.log(16), np.log(300), (count, 2)))
    corners = rng.uniform(0, 1, (count, 2)) * np.maximum(
        (WIDTH, HEIGHT) - sides, 0
    )
    coco = COCO()
    coco.dataset = dict(
        images=[
            dict(id=number, width=WIDTH, height=HEIGHT)
            for number in range(1, args.num_images + 1)
        ],
        categories=[
            dict(id=number, name=f'thing {number}')
            for number in range(1, args.num_classes + 1)
        ],
        annotations=[
            dict(
                id=number,
                image_id=image + 1,
                category_id=category + 1,
                bbox=[*corner, *side],
                area=side[0] * side[1],
                iscrowd=0,
            )
            for number, (image, category, corner, side) in enumerate(
                zip(
                    images.tolist(),
                    categories.tolist(),
                    corners.tolist(),
                    sides.tolist(),
                    strict=True,
                ),
                1,
            )
        ],
    )
    coco.createIndex()
    return coco


def make_results(
    args: argparse.Namespace, coco: COCO, rng: np.random.Generator
) -> list[dict]:
    """Most objects, roughly; and what is wrong."""
    results = []
    for each in coco.dataset['annotations']:
        if rng.random() < 0.85:
            box = np.array(each['bbox'])
            box += rng.normal(0, 0.06, 4) * np.tile(box[2:], 2)
            found = dict(image_id=each['image_id'], bbox=box.tolist())
            found.update(category_id=each['category_id'], score=rng.beta(4, 2))
            results.append(found)
    count = round(args.num_wrong * args.num_images)
    boxes = np.concatenate(
        [
            rng.uniform(0, 300, (count, 2)),
            np.exp(rng.uniform(2.5, 5.5, (count, 2))),
        ],
        axis=1,
    )
    images = rng.integers(1, args.num_images + 1, count)
    categories = rng.integers(1, args.num_classes + 1, count)
    scores = rng.beta(1, 5, count)
    results += [
        dict(image_id=image, category_id=category, bbox=box, score=score)
        for image, category, box, score in zip(
            images.tolist(),
            categories.tolist(),
            boxes.tolist(),
            scores.tolist(),
            strict=True,
        )
    ]
    return results


def evaluate(coco: COCO, results: list[dict]) -> COCOeval:
    """As everyone does, from a list that is in memory."""
    with contextlib.redirect_stdout(io.StringIO()):
        found = coco.loadRes([dict(each) for each in results])
        evaluation = COCOeval(coco, found, 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def seconds_of(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of this process, and what it gave."""
    start = time.process_time()
    found = action()
    return time.process_time() - start, found


def measure(args: argparse.Namespace) -> dict:
    """Both ways, on the same pair."""
    rng = np.random.default_rng(0)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = make_annotations(args, rng)
    pair = [make_results(args, coco, rng) for _ in range(2)]
    evaluating, evaluations = seconds_of(
        lambda: [evaluate(coco, results) for results in pair]
    )
    keeping, matches = seconds_of(
        lambda: [DetectionMatches.from_evaluation(e) for e in evaluations]
    )
    seconds = {}
    for name, metrics in dict(all=tuple(METRICS), AP50=('AP50',)).items():
        seconds[name], _ = seconds_of(
            lambda metrics=metrics: compare_metrics(
                matches[:1], matches[1:], metrics, args.resamples
            )
        )
    return dict(
        images=args.num_images,
        classes=args.num_classes,
        objects=len(coco.anns),
        detections=[len(results) for results in pair],
        resamples=args.resamples,
        seconds_of_both_evaluations=evaluating,
        seconds_of_keeping_their_matches=keeping,
        seconds_of_the_resamples=seconds['all'],
        seconds_of_the_resamples_of_ap50_alone=seconds['AP50'],
        resamples_over_evaluation=seconds['all'] / evaluating,
        ap50_alone_over_evaluation=seconds['AP50'] / evaluating,
    )


def show(figures: dict) -> None:
    """Print a table."""
    table = Table('', 'seconds')
    for key, value in figures.items():
        if key.startswith('seconds_of_'):
            name = key.removeprefix('seconds_of_').replace('_', ' ')
            table.add_row(name, f'{value:.2f}')
    console = Console()
    console.print(table)
    console.print(
        f'{figures["images"]:,} images, {figures["classes"]} classes, '
        f'{figures["objects"]:,} objects, {figures["detections"]} '
        f'detections, {figures["resamples"]:,} resamples; '
        'resamples_over_evaluation: '
        f'{figures["resamples_over_evaluation"]:.2f}'
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    figures = measure(args)
    show(figures)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
