"""Part one COCO file of annotations into train and val.

Images are drawn at random; the same file twice comes into the same part. The
same options give the same parts.
"""

import argparse
import json
from pathlib import Path

from mmselfemd.atomic_file import atomic_write
from mmselfemd.datasets.annotations.split_file import (
    count_boxes,
    split_annotations,
)
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserFileExistsError, UserFileNotFoundError
from mmselfemd.plurals import counted


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('file', type=Path, help='the annotation file (JSON)')
    parser.add_argument(
        '--images',
        type=Path,
        required=True,
        metavar='DIR',
        help='folder that the file names are below',
    )
    parser.add_argument(
        '--val',
        type=float,
        default=0.3,
        metavar='SHARE',
        help='of the images, to validate on (default: 0.3)',
    )
    parser.add_argument(
        '--by-folder',
        action='store_true',
        help='keep the images of one folder together, as frames of one film',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the draw (default: 0)'
    )
    parser.add_argument(
        '--out-dir',
        type=Path,
        metavar='DIR',
        help='folder to write into (default: that of the file)',
    )
    return parser.parse_args()


def main() -> None:
    """Read, part, write."""
    args = parse_args()
    if not args.images.is_dir():
        raise UserFileNotFoundError(f"no such folder: '{args.images}'")
    folder = args.out_dir or args.file.parent
    outs = {
        part: folder / f'{args.file.stem}_{part}.json'
        for part in ('train', 'val')
    }
    for out in outs.values():
        if out.exists():
            raise UserFileExistsError(
                f"'{out}' exists: remove it, or name another --out-dir"
            )
    contents = split_annotations(
        args.file, args.images, args.val, args.seed, args.by_folder
    )
    for out, content in zip(outs.values(), contents, strict=True):
        with atomic_write(out) as file:
            file.write(json.dumps(content).encode())
        counts = count_boxes(content)
        print(
            f'{out}: {counted(len(content["images"]), "image")}, '
            + ', '.join(f'{name} {number}' for name, number in counts.items())
        )
        if missing := [name for name, number in counts.items() if not number]:
            print(
                f'  no box of {", ".join(missing)} here: label more of them, '
                'or try another --seed'
            )


if __name__ == '__main__':
    run_tool(main)
