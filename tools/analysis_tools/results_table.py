"""Tables 1 to 5 of the paper, with what finished runs gave beside it.

A cell is filled from the logs of a run, or not at all. Runs are put into the
rows by the name of their config and by where their backbone is from.
"""

import argparse
import sys
from pathlib import Path

from mmselfemd.engine.command_line import name_and_path, run_tool
from mmselfemd.errors import UserError
from mmselfemd.results import (
    fill_tables,
    read_run,
    reasons_for_no_row,
    render_latex,
    render_markdown,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='*',
        metavar='[PRETRAINING=]WORK_DIR',
        help='work directories of detection runs; PRETRAINING names the '
        'config that the backbone is from, such as selfemd_r50_coco_800e, '
        "'random' or 'supervised', where the path in the run's 'pretrained' "
        'does not say it',
    )
    parser.add_argument(
        '--tables',
        nargs='+',
        type=int,
        choices=range(1, 6),
        default=range(1, 6),
        help='which of them (default: all)',
    )
    parser.add_argument(
        '--format', choices=['markdown', 'latex'], default='markdown'
    )
    parser.add_argument('--out', type=Path, help='a file, beside the printing')
    return parser.parse_args()


def main() -> None:
    """Read the runs, fill the tables, print them."""
    args = parse_args()
    if args.out is not None and not args.out.parent.is_dir():
        raise UserError(f"--out: there is no folder '{args.out.parent}'")
    runs = []
    for text in args.runs:
        pretraining, work_dir = name_and_path(text)
        try:
            runs.append(read_run(work_dir, pretraining or None))
        except UserError as error:  # of many runs, one has just begun
            print(f'Left out: {error}', file=sys.stderr)
    tables = fill_tables(runs)
    render = dict(markdown=render_markdown, latex=render_latex)[args.format]
    text = '\n\n'.join(
        render(table) for table in tables if table.paper.number in args.tables
    )
    print(text)
    for work_dir, reason in reasons_for_no_row(runs, tables).items():
        print(f'\n{work_dir} is in no table: {reason}')
    if args.out is not None:
        args.out.write_text(text + '\n', encoding='utf-8')


if __name__ == '__main__':
    run_tool(main)
