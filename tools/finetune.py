"""Fine-tune a detector on labelled photographs, without a config.

Checks annotations and images, takes the classes from the train file, chooses
the settings by a rule of thumb and writes them into WORK_DIR.py, and trains
by that. The same command goes on where it was.
"""

import argparse

from mmselfemd.apis import finetune
from mmselfemd.apis.architectures import ARCHITECTURES
from mmselfemd.apis.detectors import DETECTORS
from mmselfemd.engine.command_line import (
    add_image_values,
    add_loggers,
    run_tool,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--images',
        required=True,
        metavar='DIR',
        help='folder that the file names of the annotations are below',
    )
    parser.add_argument(
        '--val-images',
        metavar='DIR',
        help='that of validation, if it is another one',
    )
    for split in ('train', 'val'):
        parser.add_argument(
            f'--{split}',
            required=True,
            metavar='FILE',
            help=f'annotations (COCO) to {split} with',
        )
    parser.add_argument(
        '--pretrained',
        required=True,
        metavar='FILE',
        help='the backbone: a file, a checkpoint of a pre-training, an '
        'address such as torchvision://resnet50, or none for random weights',
    )
    parser.add_argument(
        '--detector',
        default='faster-rcnn',
        help=f'one of {", ".join(DETECTORS)} (default: %(default)s)',
    )
    parser.add_argument(
        '--arch',
        help=f'one of {", ".join(ARCHITECTURES)}; by default that of '
        '--pretrained, or resnet50',
    )
    parser.add_argument(
        '--epochs',
        type=int,
        help='rounds through the photographs; by default by their number',
    )
    parser.add_argument(
        '--iterations', type=int, help='batches, in the place of --epochs'
    )
    parser.add_argument(
        '--work-dir',
        metavar='DIR',
        help='folder of the run, with the config beside it; by default '
        'work_dirs/finetune_<name of the folder of photographs>',
    )
    add_image_values(parser)
    add_loggers(parser)
    parser.add_argument(
        '--dry-run', action='store_true', help='write the config, and end'
    )
    return parser.parse_args()


if __name__ == '__main__':
    run_tool(lambda: finetune(**vars(parse_args())))
