"""Put the images of folders into one LMDB database; see docs/input.md."""

import argparse
import os

from mmselfemd.datasets.image_database import LIST_NAME, images_to_lmdb
from mmselfemd.engine.command_line import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Put the images of folders into one LMDB database, for '
        'file systems that are slow with many small files. Stopped at any '
        'moment, the same command goes on.'
    )
    parser.add_argument('sources', nargs='+', help='folders of images')
    parser.add_argument('out', help='folder of the database')
    parser.add_argument(
        '--max-size',
        type=int,
        help='shrink images with a shorter side above this, in pixels, and '
        'store them as JPEG of quality 95',
    )
    parser.add_argument(
        '--list',
        help='text file with one path a line, relative to the source: take '
        'those images alone',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(os.cpu_count() or 1, 8),
        help='processes that read, shrink and check (default: %(default)s)',
    )
    return parser.parse_args()


def main() -> None:
    """Run the conversion."""
    args = parse_args()
    stored, broken = images_to_lmdb(
        args.sources, args.out, args.max_size, args.list, args.workers
    )
    print(f'{stored} images are in {args.out}; {broken} broken ones are not.')
    print(
        f"The data set: data_root='', data_prefix='', "
        f"ann_file='{os.path.join(args.out, LIST_NAME)}'\n"
        "LoadImage: backend_args=dict(backend='lmdb', "
        f"db_path='{args.out}')"
    )


if __name__ == '__main__':
    run_tool(main)
