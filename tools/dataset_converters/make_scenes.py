"""Make a small data set of synthetic scenes, in COCO's layout."""

import argparse

from mmselfemd.datasets.scenes import make_scenes
from mmselfemd.engine.command_line import run_tool


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Make a small data set of synthetic scenes, in COCO's "
        'layout, with boxes and masks. The same options give the same files.'
    )
    parser.add_argument('out', help='folder to write')
    parser.add_argument(
        '--train', type=int, default=600, help='training images'
    )
    parser.add_argument(
        '--val', type=int, default=120, help='validation images'
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(320, 240),
        metavar=('WIDTH', 'HEIGHT'),
        help='size of the images in pixels',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    folder = make_scenes(
        args.out, args.train, args.val, args.seed, tuple(args.size)
    )
    print(f'The scenes are in {folder}')


if __name__ == '__main__':
    run_tool(main)
