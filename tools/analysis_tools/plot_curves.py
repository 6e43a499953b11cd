"""Draw figures of one or several runs as curves in one picture."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmselfemd.engine.command_line import name_and_path, run_tool
from mmselfemd.errors import UserError
from mmselfemd.visualization import draw_curves, read_curves, save_figure


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        metavar='[NAME=]PATH',
        help='work directory of a run, or a JSON file of measure_matching.py '
        'or read_boxes.py on its checkpoints',
    )
    parser.add_argument(
        '--keys',
        nargs='+',
        default=['loss'],
        help='what to draw (default: loss), such as matching/gain, or gain '
        'in a file of measure_matching.py',
    )
    parser.add_argument(
        '--out', type=Path, default='curves.png', help='a .png file'
    )
    parser.add_argument('--title', default='')
    parser.add_argument('--xlabel', default='', help='such as epoch')
    parser.add_argument('--ylabel', default='')
    parser.add_argument(
        '--window', type=int, help='values that a moving average is taken over'
    )
    return parser.parse_args()


def named(runs: Sequence[str]) -> dict[str, str]:
    """Paths by what the curves of each are called.

    That is the name that was given, or else the last part of the path; the
    whole path where that is the last part of several.
    """
    found: dict[str, str] = {}
    given = [name_and_path(run) for run in runs]
    last_parts = [Path(path).name for name, path in given if not name]
    for name, path in given:
        if not name:
            last = Path(path).name
            name = last if last and last_parts.count(last) == 1 else path
        if name in found:
            raise UserError(
                f"'{found[name]}' and '{path}' are both called '{name}', and "
                'one curve would hide the other: name them, as '
                f'first={path}'
            )
        found[name] = path
    return found


def main() -> None:
    """Read, draw, save."""
    args = parse_args()
    if args.out.suffix.lower() != '.png':
        raise UserError(f'--out {args.out}: the name has to end with .png')
    if args.window is not None and args.window < 1:
        raise UserError(f'--window {args.window}: at least 1 is needed')
    series = {}
    for name, path in named(args.runs).items():
        curves = read_curves(path)
        for key in args.keys:
            if key not in curves:
                raise UserError(
                    f"{path} has no '{key}'; it has: "
                    + ', '.join(sorted(curves))
                )
            series[f'{name}: {key}'] = curves[key]
    figure = draw_curves(
        series,
        title=args.title or ', '.join(args.keys),
        xlabel=args.xlabel,
        ylabel=args.ylabel,
        window=args.window,
    )
    print(save_figure(figure, args.out))


if __name__ == '__main__':
    run_tool(main)
