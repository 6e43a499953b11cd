"""Extract the backbone of a pre-training checkpoint for a detector."""

import argparse
from collections import Counter

from mmselfemd.engine.command_line import run_tool
from mmselfemd.zoo.extract import FORMATS, extract_backbone


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help='a pre-training checkpoint')
    parser.add_argument(
        'out',
        help='the file to write, where .safetensors chooses that format, or '
        'the folder (transformers, hub)',
    )
    parser.add_argument(
        '--to',
        default='mmdet',
        choices=FORMATS,
        help='whose names and layout it has (default: %(default)s)',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace OUT if it exists'
    )
    return parser.parse_args()


def main() -> None:
    """Extract, and print what was written."""
    args = parse_args()
    written = extract_backbone(args.checkpoint, args.out, args.to, args.force)
    for ours, theirs in written.mapped.items():
        print(f'{ours} -> {theirs}')
    left = Counter(name.split('.')[0] for name in written.left)
    print(
        f'left: {len(written.left)} tensors: '
        f'{", ".join(f"{part} ({n})" for part, n in left.items()) or "none"}'
    )
    print(
        f'{written.path}: {written.tensors} tensors, '
        f'{written.parameters:,} values, {written.size:,} bytes'
    )
    print(f'pixels: {written.pixels or "not recorded in the checkpoint"}')
    print(f'sha256: {written.sha256}')
    for note in written.notes:
        print(f'NOTE: {note}')


if __name__ == '__main__':
    run_tool(main)
