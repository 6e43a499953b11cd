"""Draw what a pre-training config feeds the network: views, or montages."""

import argparse
from pathlib import Path

from mmselfemd.engine.command_line import add_cfg_options, run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.visualization.browsing import browse_views


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='a config of pre-training')
    parser.add_argument(
        '--out',
        help='folder of the pictures (default: views/ in the work directory '
        'of the config)',
    )
    parser.add_argument(
        '--num', type=int, default=8, help='how many images (default: 8)'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--html', action='store_true', help='write index.html as well'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def main() -> None:
    """Draw."""
    args = parse_args()
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    out = args.out or str(Path(cfg.work_dir, 'views'))
    browse_views(cfg, out, args.num, args.seed, args.html)


if __name__ == '__main__':
    run_tool(main)
