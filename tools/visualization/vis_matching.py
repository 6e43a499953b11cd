"""Draw where the flow between two crops of a photograph goes (Fig. 5)."""

import argparse

from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.visualization.photographs import visualize_matching


def positions(text: str) -> int | None:
    """Read ``--positions``: a number, or None for all."""
    return None if text == 'all' else int(text)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', nargs='+', help='image files or folders')
    parser.add_argument(
        '--config', required=True, help='a config of pre-training'
    )
    parser.add_argument(
        '--checkpoint',
        help='a checkpoint of that pre-training, a backbone extracted from '
        'it, or mmselfemd://NAME; without it only the untrained network is '
        'drawn',
    )
    parser.add_argument('--out', required=True, help='folder of the pictures')
    parser.add_argument(
        '--html', action='store_true', help='write index.html as well'
    )
    parser.add_argument(
        '--positions',
        type=positions,
        default=2,
        metavar='N|all',
        help='how many nodes of crop 1 get a heat map (default: 2)',
    )
    parser.add_argument(
        '--num-pairs',
        type=int,
        default=1,
        help='pairs of crops of each image (default: 1)',
    )
    parser.add_argument('--seed', type=int, default=0)
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    visualize_matching(
        load_config(args.config, cfg_options=args.cfg_options),
        args.images,
        args.out,
        args.checkpoint,
        args.positions,
        args.num_pairs,
        args.seed,
        args.html,
    )


if __name__ == '__main__':
    run_tool(main)
