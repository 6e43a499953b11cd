"""Train what a config describes: a backbone or a detector."""

import argparse
import os

import mmselfemd  # noqa: F401  makes `_base_ = 'mmselfemd::...'` known
from mmselfemd.engine.command_line import (
    add_loggers,
    add_shared_arguments,
    run_tool,
)
from mmselfemd.engine.launch import train


def parse_args() -> argparse.Namespace:
    """Read the command line; options of mmdet's tool have its names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the images of a step (batch x '
        'processes x accumulation) over auto_scale_lr.base_batch_size of the '
        'config',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='PATH',
        help='go on from a checkpoint; without a path from the last one of '
        'the work directory, if there is one',
    )
    add_loggers(parser)
    add_shared_arguments(parser)
    return parser.parse_args()


def main() -> None:
    """Train."""
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    train(
        args.config,
        work_dir=args.work_dir,
        amp=args.amp,
        auto_scale_lr=args.auto_scale_lr,
        resume=args.resume,
        cfg_options=args.cfg_options,
        launcher=args.launcher,
        loggers=args.loggers,
    )


if __name__ == '__main__':
    run_tool(main)
