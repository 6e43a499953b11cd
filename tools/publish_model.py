"""Give a model away: its weights, log, curve, card and entry in the index.

The work directories are those of finished runs of tools/demo.py, one for each
seed. The weights are the first one's; the readings are of all.
"""

import argparse
from pathlib import Path

from mmselfemd.engine.command_line import run_tool
from mmselfemd.publishing import publish

ROOT = Path(__file__).resolve().parent.parent


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'work_dirs', nargs='+', help='work directories of tools/demo.py'
    )
    parser.add_argument(
        '--out',
        help='the folder to write into (default: weights/ beside the '
        'metafile that has the model)',
    )
    parser.add_argument(
        '--url',
        help='the address of the folder that the weights will be downloaded '
        'from (default: they come with the package)',
    )
    parser.add_argument(
        '--root',
        default=ROOT,
        help='the folder of model-index.yml (default: that of this tool)',
    )
    parser.add_argument(
        '--force', action='store_true', help='replace what is there'
    )
    return parser.parse_args()


def main() -> None:
    """Publish, and print what was written."""
    args = parse_args()
    published = publish(
        args.work_dirs, args.root, args.out, args.url, args.force
    )
    for path in published.files:
        print(f'{path}: {path.stat().st_size:,} bytes')
    print(f'sha256: {published.backbone.sha256}')
    print(f'{published.metafile} has:\n\n{published.entry}')


if __name__ == '__main__':
    run_tool(main)
