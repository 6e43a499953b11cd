"""Look at the images of a folder before they are trained on."""

import argparse
import os
import sys
from collections.abc import Iterator

from mmselfemd.datasets.pictures.folder import FolderReport, check_images
from mmselfemd.datasets.pictures.measuring import written
from mmselfemd.engine.command_line import run_tool


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Read every image of a folder: count formats, bands, '
        'types and sizes, name what does not decode, and measure the '
        'value_range of images of more than 8 bits. The exit status is 0 if '
        'they can be trained on as they are, 1 if not.'
    )
    parser.add_argument('folder', help='folder of images')
    parser.add_argument(
        '--bands',
        type=int,
        nargs='+',
        help='numbers, from 0, of the bands that become red, green and blue, '
        'or of the one that becomes grey',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(os.cpu_count() or 1, 8),
        help='processes that read (default: %(default)s)',
    )
    return parser.parse_args()


def advice(report: FolderReport) -> Iterator[str]:
    """What to set in a config that is written by hand."""
    if report.needs_bands:
        yield (
            'Set in the config of pre-training and of the detector which '
            'bands are red, green and blue, e.g.:\nbands = (0, 1, 2)'
        )
    if report.value_range:
        yield (
            'Set in the config of pre-training and of the detector:\n'
            f'value_range = {written(report.value_range)}'
        )


def main() -> None:
    """Check and print."""
    args = parse_args()
    report = check_images(args.folder, args.bands, args.workers)
    print('\n'.join([*report.lines, *advice(report)]))
    sys.exit(0 if report.is_usable else 1)


if __name__ == '__main__':
    run_tool(main)
