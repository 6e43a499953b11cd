"""What the tools that measure several networks have in common."""

import argparse
from collections.abc import Mapping, Sequence

from rich.table import Column, Table

from mmselfemd.errors import UserError


def add_checkpoints(parser: argparse.ArgumentParser) -> None:
    """Add the networks, and the one that others are compared with."""
    parser.add_argument(
        'checkpoints',
        nargs='*',
        metavar='checkpoint',
        help='checkpoints of pre-training, or extracted backbones; the '
        'untrained network is always measured',
    )
    parser.add_argument(
        '--reference',
        metavar='NAME',
        help="the network that others are compared with, 'untrained' or one "
        'of the checkpoints (default: the first checkpoint where several are '
        'named, or else untrained)',
    )


def reference_of(args: argparse.Namespace) -> str:
    """Name of the network that others are compared with."""
    names = ['untrained', *args.checkpoints]
    if args.reference is None:
        return names[1] if len(names) > 2 else 'untrained'
    if args.reference not in names:
        raise UserError(
            f'--reference {args.reference} is not measured: expected one of '
            + ', '.join(names)
        )
    return args.reference


def with_error(figures: Mapping[str, float], name: str) -> str:
    """A figure and its standard error."""
    return f'{figures[name]:.3f} +- {figures[f"{name}_error"]:.3f}'


def difference_table(
    compared: Mapping[str, Mapping], reference: str, columns: Sequence[str]
) -> Table:
    """Differences from the reference: with standard error and interval."""
    table = Table(
        Column(overflow='fold'),
        *(name.replace('_', ' ') for name in columns),
        title=f'Difference from {reference}, with its standard error and '
        '95 % interval',
    )
    for network, figures in compared.items():
        if network == reference:
            continue
        differences = figures['differences'][reference]
        table.add_row(
            network,
            *(
                '{value:+.3f} +- {error:.3f} [{low:+.3f}, {high:+.3f}]'.format(
                    **differences[name]
                )
                for name in columns
            ),
        )
    return table
