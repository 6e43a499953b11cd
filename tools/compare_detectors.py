"""Which of two detectors is better: COCO result files, compared.

    compare_detectors.py A.json B.json --ann val.json
    compare_detectors.py --first A0.json A1.json A2.json \
        --second B0.json B1.json B2.json --ann val.json --names A B

A result file is a list of {image_id, category_id, bbox, score}, as mmdet,
Detectron2 and others write it. Several files of one detector are its seeds,
in the order of the other's.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from mmselfemd.atomic_file import atomic_write
from mmselfemd.comparison import (
    METRICS,
    DetectionMatches,
    Difference,
    check_different_runs,
    check_same_images,
    compare_classes,
    compare_metrics,
    read_annotations,
    read_results,
)
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserValueError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'results',
        nargs='*',
        metavar='FILE',
        help='two result files, of one seed each',
    )
    parser.add_argument(
        '--first', nargs='+', metavar='FILE', help='seeds of the first'
    )
    parser.add_argument(
        '--second', nargs='+', metavar='FILE', help='seeds of the second'
    )
    parser.add_argument(
        '--ann', required=True, metavar='FILE', help='the annotation file'
    )
    parser.add_argument(
        '--names',
        nargs=2,
        metavar='NAME',
        help='what the two are called (default: names of their first files)',
    )
    parser.add_argument(
        '--metric',
        choices=METRICS,
        default='AP50',
        help='what the sentence is about (default: %(default)s)',
    )
    parser.add_argument(
        '--classwise',
        action='store_true',
        help='the metric of each class, too',
    )
    parser.add_argument(
        '--resamples',
        type=int,
        default=1000,
        help='how often images are drawn (default: %(default)s)',
    )
    parser.add_argument('--json', type=Path, metavar='OUT', help='all of it')
    return parser.parse_args()


def files_of(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """Result files of the first and of the second."""
    first, second = args.first or [], args.second or []
    if len(args.results) == 2 and not first and not second:
        return args.results[:1], args.results[1:]
    if args.results or not first or len(first) != len(second):
        raise UserValueError(
            'expected two result files, or as many after --first as after '
            f'--second, the same seeds of both; got {len(args.results)} '
            f'without an option, {len(first)} after --first and '
            f'{len(second)} after --second'
        )
    return first, second


def names_of(files: Sequence[Sequence[str]]) -> list[str]:
    """The names of their first files, with folders where they are alike."""
    first, second = (Path(part[0]) for part in files)
    short, other = (
        path.name.removesuffix('.json').removesuffix('.bbox')
        for path in (first, second)
    )
    return [short, other] if short != other else [str(first), str(second)]


def check_out(out: Path, inputs: Sequence[str]) -> None:
    """Say before the work what would be lost after it."""
    if out.is_dir():
        raise UserValueError(f"--json: '{out}' is a folder; name a file")
    if out.resolve() in {Path(file).resolve() for file in inputs}:
        raise UserValueError(
            f"--json: '{out}' is one of the files that are read; it would be "
            'overwritten. Name another'
        )
    out.parent.mkdir(parents=True, exist_ok=True)


def read_matches(
    files: Sequence[Sequence[str]], ann_file: str
) -> list[list[DetectionMatches]]:
    """Evaluate each file once."""
    annotations = read_annotations(ann_file)
    results = {
        file: read_results(file, annotations)
        for part in files
        for file in part
    }
    check_same_images(results)
    for part in files:
        check_different_runs([(file, results[file]) for file in part])
    return [
        [
            DetectionMatches.from_results(results[file], annotations, file)
            for file in part
        ]
        for part in files
    ]


def make_table(
    title: str,
    names: Sequence[str],
    runs: Sequence[Sequence[Mapping[str, float]]],
    differences: Mapping[str, Difference],
) -> Table:
    """Means over the seeds, in points of 100, and by how much they differ."""
    table = Table(
        title,
        *(Column(escape(name), justify='right') for name in names),
        Column('difference', justify='right'),
        Column('95 % interval', justify='right'),
    )
    for row, found in differences.items():
        means = [sum(run[row] for run in part) / len(part) for part in runs]
        table.add_row(
            escape(row),
            *(f'{100 * mean:.1f}' for mean in means),
            f'{100 * found.mean:+.1f}',
            f'{100 * found.low:+.1f} to {100 * found.high:+.1f}'
            if isfinite(found.low)
            else '-',
        )
    return table


def main() -> None:
    """Evaluate, compare, tell."""
    args = parse_args()
    files = files_of(args)
    if args.json:
        check_out(args.json, [*files[0], *files[1], args.ann])
    names = args.names or names_of(files)
    matches = read_matches(files, args.ann)
    found = compare_metrics(*matches, resamples=args.resamples)
    if args.metric not in found:
        raise UserValueError(
            f'--metric {args.metric}: {args.ann} has no such object'
        )
    sentence = found[args.metric].sentence(*names)
    runs = [[each.average_precision() for each in part] for part in matches]
    console = Console()
    console.print(make_table('', names, runs, found))
    classes = {}
    if args.classwise:
        classes = compare_classes(*matches, args.metric, args.resamples)
        of_class = [
            [
                {
                    name: figures[args.metric]
                    for name, figures in run['per_class'].items()
                }
                for run in part
            ]
            for part in runs
        ]
        console.print(make_table(args.metric, names, of_class, classes))
    print(sentence)
    if args.json:
        report = dict(
            sentence=sentence,
            names=names,
            files=files,
            annotations=args.ann,
            runs=runs,
            differences={k: each.as_json() for k, each in found.items()},
            classes={k: each.as_json() for k, each in classes.items()},
        )
        with atomic_write(args.json) as file:
            file.write((json.dumps(report, indent=2) + '\n').encode())


if __name__ == '__main__':
    run_tool(main)
