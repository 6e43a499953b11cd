"""Import the backbone that another project publishes."""

import argparse
from collections import Counter

from mmselfemd.engine.command_line import run_tool
from mmselfemd.zoo.import_backbone import import_backbone
from mmselfemd.zoo.pixels import CONVENTIONS, LAYOUT
from mmselfemd.zoo.sources import PROJECTS


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'source', help='a file as published, or e.g. torchvision://resnet50'
    )
    parser.add_argument('out', help='the file to write')
    parser.add_argument(
        '--from',
        dest='project',
        choices=PROJECTS,
        help='whose file it is (default: recognised by names and shapes)',
    )
    parser.add_argument(
        '--convention',
        choices=list(CONVENTIONS),
        help='the pixels that the weights expect, where the file does not '
        'say it: docs/weights.md',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace OUT if it exists'
    )
    return parser.parse_args()


def counted(names: list[str]) -> str:
    """Count names by their beginning."""
    tops = Counter('.'.join(name.split('.')[:2]) for name in names)
    return ', '.join(f'{top} ({n})' for top, n in tops.items()) or 'none'


def main() -> None:
    """Import, and print what became of each tensor."""
    args = parse_args()
    written = import_backbone(
        args.source, args.out, args.project, args.convention, args.force
    )
    for theirs, ours in written.mapped.items():
        print(f'{theirs} -> {ours}')
    network = ', '.join(f'{k}={v}' for k, v in written.architecture.items())
    print(f'recognised: {written.recognised}')
    print(f'{written.path}: {network}')
    print(f'mapped: {len(written.mapped)} tensors')
    print(f'left: {len(written.left)} tensors: {counted(written.left)}')
    for place, number in written.others.items():
        print(f'left: {number} tensors under {place}')
    print(
        f'missing: {len(written.missing)} tensors: {counted(written.missing)}'
    )
    print(f'pixels: {written.meta["pixel_convention"]}')
    for name in LAYOUT:
        print(f'{name}: {written.meta.get(name, "not recorded")}')
    for note in written.notes:
        print(f'NOTE: {note}')


if __name__ == '__main__':
    run_tool(main)
