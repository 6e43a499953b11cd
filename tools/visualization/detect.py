"""Draw what a fine-tuned detector finds on photographs."""

import argparse

from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.visualization.detections import draw_detections


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('images', nargs='+', help='image files or folders')
    parser.add_argument('--config', required=True, help='of the detector')
    parser.add_argument(
        '--checkpoint', required=True, help='of the detector, fine-tuned'
    )
    parser.add_argument('--out', required=True, help='folder of the pictures')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='boxes of a lower score are not drawn (default: 0.3)',
    )
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    draw_detections(
        load_config(args.config, cfg_options=args.cfg_options),
        args.checkpoint,
        args.images,
        args.out,
        args.score_thr,
    )


if __name__ == '__main__':
    run_tool(main)
