"""Pre-train a backbone on a folder of photographs, without a config.

Looks at the photographs, chooses the settings by a rule of thumb and writes
them into WORK_DIR.py, trains by that and extracts the backbone. The same
command goes on where it was.
"""

import argparse

from mmselfemd.apis import pretrain
from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.engine.command_line import (
    add_image_values,
    add_loggers,
    run_tool,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--images', required=True, metavar='DIR', help='the photographs'
    )
    parser.add_argument(
        '--arch',
        default='resnet50',
        help=f'one of {", ".join(ARCHITECTURES)} (default: %(default)s)',
    )
    parser.add_argument(
        '--epochs',
        type=int,
        help='rounds through the photographs; by default by their number',
    )
    parser.add_argument(
        '--init',
        metavar='FILE',
        help='a backbone to start from, or an address such as '
        'torchvision://resnet50; by default random weights',
    )
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='folder of the run, with the config beside it; by default '
        'work_dirs/pretrain_<name of the folder of photographs>',
    )
    add_image_values(parser)
    add_loggers(parser)
    parser.add_argument(
        '--dry-run', action='store_true', help='write the config, and end'
    )
    return parser.parse_args()


if __name__ == '__main__':
    run_tool(lambda: pretrain(**vars(parse_args())))
