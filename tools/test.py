"""Evaluate a checkpoint on the test data of a config."""

import argparse
import os

import mmselfemd  # noqa: F401  makes `_base_ = 'mmselfemd::...'` known
from mmselfemd.engine.command_line import add_shared_arguments, run_tool
from mmselfemd.engine.launch import test


def parse_args() -> argparse.Namespace:
    """Read the command line; options of mmdet's tool have its names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--out', help='.pkl file for the predictions')
    parser.add_argument(
        '--show-dir', help='directory for images with the predictions drawn'
    )
    add_shared_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Evaluate."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    test(
        args.config,
        args.checkpoint,
        work_dir=args.work_dir,
        out=args.out,
        show_dir=args.show_dir,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
    )


if __name__ == '__main__':
    run_tool(main)
