"""Download the published weights of a model, and check them."""

import argparse

from mmselfemd.engine.command_line import run_tool
from mmselfemd.zoo.download import download_model, sha256_of


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'name', help='a name of the model index; mmselfemd://NAME is the same'
    )
    parser.add_argument(
        '--dest',
        metavar='DIR',
        help="the folder to put the file in (default: torch's cache, where "
        'mmselfemd://NAME finds it)',
    )
    return parser.parse_args()


def main() -> None:
    """Download, and print where the file is."""
    args = parse_args()
    path = download_model(args.name, args.dest)
    print(f'{path}: {path.stat().st_size:,} bytes')
    print(f'sha256: {sha256_of(path)}')


if __name__ == '__main__':
    run_tool(main)
