"""Check a COCO annotation file before anything is trained on it.

Exit status 0: usable, with what is mended in memory; 1: not usable.
"""

import argparse
import json
import sys
from pathlib import Path

from mmselfemd.datasets.annotations import check_file
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserFileNotFoundError, UserValueError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', help='the annotation file (JSON)')
    parser.add_argument(
        '--images',
        metavar='DIR',
        help='folder that the file names are below; by default no image is '
        'looked at',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help="names of the classes, in the config's order",
    )
    parser.add_argument(
        '--left-out',
        nargs='+',
        default=[],
        metavar='NAME',
        help='categories that are not wanted',
    )
    parser.add_argument(
        '--masks',
        action='store_true',
        help='masks are to be learnt: look at them, too',
    )
    parser.add_argument(
        '--json', type=Path, metavar='OUT', help='the whole list'
    )
    return parser.parse_args()


def _check_output(out: Path | None, file: str) -> None:
    """Before the time is spent, and the annotations are written over."""
    if out is None:
        return
    if out.is_dir():
        raise UserValueError(f"--json: '{out}' is a folder; name a file")
    if out.exists() and Path(file).exists() and out.samefile(file):
        raise UserValueError(
            f"--json: '{out}' is the annotation file itself; name another"
        )


def main() -> None:
    """Check and tell."""
    args = parse_args()
    if args.images and not Path(args.images).is_dir():
        raise UserFileNotFoundError(f"no such folder: '{args.images}'")
    _check_output(args.json, args.file)
    findings = check_file(
        args.file,
        args.images,
        args.classes,
        args.left_out,
        'all' if args.masks else '',
    )
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(findings.records(), indent=2) + '\n')
    print(findings.text() or f'{args.file}: nothing to say.')
    if findings.stops:
        print(f'{args.file} cannot be used as it is.')
        sys.exit(1)


if __name__ == '__main__':
    run_tool(main)
