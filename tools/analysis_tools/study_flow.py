"""What the flow of Self-EMD adds to BYOL, in small, with controls and seeds.

Pre-trains each candidate of docs/small_experiments.md with each seed, from
one untrained backbone a seed, reads the frozen backbones, and writes a table
with paired differences from BYOL on the same three views, the curves, and the
readings. What is there already is not made again: the same command goes on.
Several machines share a study by copying ``readings/`` to one --work-dir.
"""

import argparse
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.apis.machine import find_machine
from mmselfemd.comparison import read_annotations
from mmselfemd.engine.command_line import run_tool
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.study import (
    CANDIDATES,
    CAUSES,
    NUM_READINGS,
    READINGS,
    CheckpointReader,
    Record,
    Run,
    annotation_files,
    draw_study,
    find_candidates,
    fitting_length,
    kept_length,
    plan_runs,
    pretrain,
    render_study,
    save_length,
    save_untrained,
    what_the_log_says,
    worker_options,
    write_lists,
)
from mmselfemd.visualization import save_figure

TOOLS = Path(__file__).resolve().parents[1]
CONFIGS = TOOLS.parent / 'configs' / 'small'
#: All have the same backbone, and the same held-out views.
ANY_CANDIDATE = str(CONFIGS / 'selfemd_r18_voc256_20e.py')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--data',
        type=Path,
        default='data/voc07_256',
        help='photographs and boxes (default: %(default)s)',
    )
    parser.add_argument(
        '--work-dir', type=Path, default='work_dirs/study_flow'
    )
    parser.add_argument('--epochs', type=int, help='of each run (default: 40)')
    parser.add_argument(
        '--interval',
        type=int,
        help='epochs from one reading to the next (default: 10)',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--candidates',
        nargs='+',
        metavar='NAME',
        help='default: all of '
        + ', '.join(candidate.name for candidate in CANDIDATES)
        + '; and where named: '
        + ', '.join(candidate.name for candidate in CAUSES),
    )
    parser.add_argument(
        '--jobs',
        type=int,
        default=1,
        help='how many pre-trainings run side by side, on one GPU too '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--minutes',
        type=float,
        help='stop pre-training after so long, and report what there is',
    )
    parser.add_argument(
        '--fit',
        action='store_true',
        help='as many of the --seeds, and then as many epochs, as --minutes '
        'have room for, readings and all, by a short trial of each candidate',
    )
    return parser.parse_args()


def data_options(args: argparse.Namespace) -> dict[str, str]:
    """Where the photographs are, for the runs."""
    for name in ('images', 'annotations'):
        if not (args.data / name).is_dir():
            raise UserFileNotFoundError(
                f"--data {args.data}: there is no folder '{name}' in it; "
                'docs/small_experiments.md says what is expected'
            )
    for path in annotation_files(args.data).values():
        read_annotations(path)
    options = {}
    for split, path in write_lists(args.data, args.work_dir).items():
        dataset = f'{split}_dataloader.dataset'
        options[f'{dataset}.data_root'] = str(args.data.resolve())
        options[f'{dataset}.ann_file'] = str(path)
    return options


def set_length(
    args: argparse.Namespace, options: dict[str, Any], start: float
) -> None:
    """Choose epochs and seeds, or go on with those that were chosen."""
    if not args.fit:
        args.epochs = 40 if args.epochs is None else args.epochs
        args.interval = 10 if args.interval is None else args.interval
        return
    args.epochs, args.interval = NUM_READINGS, 1
    runs = planned(args)
    length = kept_length(args.work_dir, runs)
    if length is None:
        print('measuring how long an iteration and a reading take')
        reading = build_reader(args, options).seconds()
        length = fitting_length(
            *(runs, options, args.jobs, reading, args.minutes, start)
        )
        save_length(args.work_dir, length, runs)
    args.epochs, args.interval = length.epochs, length.interval
    args.seeds = length.seeds
    print(f'{length.epochs} epochs, seeds', *length.seeds)


def planned(args: argparse.Namespace) -> list[Run]:
    """The runs of the study."""
    return plan_runs(
        find_candidates(args.candidates),
        args.seeds,
        CONFIGS,
        args.work_dir,
        args.epochs,
        args.interval,
    )


def build_reader(
    args: argparse.Namespace, options: dict[str, Any]
) -> CheckpointReader:
    """Keep what the runs begin from, and build what reads their ends."""
    cfg = load_config(ANY_CANDIDATE, cfg_options=options)
    save_untrained(cfg, args.work_dir, args.seeds)
    return CheckpointReader(cfg, args.data, args.work_dir, args.seeds)


def write(
    runs: list[Run], records: list[Record], args: argparse.Namespace
) -> None:
    """Write readings, logs, the table and the curves; print the table."""
    path = args.work_dir / 'what_the_flow_adds.json'
    write_list(path, (record.as_json() for record in records))
    logs = filter(None, map(what_the_log_says, runs))
    write_list(args.work_dir / 'what_the_logs_say.json', logs)
    table = render_study(records, args.epochs)
    (args.work_dir / 'what_the_flow_adds.md').write_text(table)
    figure = draw_study(records)
    print(table)
    print('Also in', path.with_suffix('.md'))
    print(save_figure(figure, path.with_suffix('.png')))


def write_list(path: Path, records: Iterable[dict]) -> None:
    """JSON with a record a line."""
    lines = map(json.dumps, records)
    path.write_text('[\n  ' + ',\n  '.join(lines) + '\n]\n')


def main() -> None:
    """Train, read, compare."""
    args = parse_args()
    if args.jobs < 1:
        raise UserValueError(f'--jobs {args.jobs}: expected 1 or more')
    if not all(0 <= seed < 2**32 for seed in args.seeds):
        raise UserValueError('--seeds: expected numbers from 0 to 2**32 - 1')
    given = {args.epochs, args.interval} != {None}
    if args.fit and (given or not (args.minutes or 0) > 0):
        raise UserValueError(
            '--fit chooses the epochs that fit into --minutes: it needs '
            '--minutes, and neither --epochs nor --interval'
        )
    args.seeds = list(dict.fromkeys(args.seeds))
    (args.work_dir / READINGS).mkdir(parents=True, exist_ok=True)
    # How each weight was initialised would fill the screen.
    MMLogger.get_current_instance().setLevel('WARNING')
    start = time.time()
    deadline = None if args.minutes is None else start + 60 * args.minutes
    machine = find_machine()
    options = data_options(args) | worker_options(
        machine.num_gpus, machine.num_cores, args.jobs
    )
    set_length(args, options, start)
    runs, reader = planned(args), build_reader(args, options)
    reader.check(runs)  # a fault of it is said before hours of runs
    try:
        pretrain(runs, TOOLS / 'train.py', options, args.jobs, deadline)
    finally:  # what was trained is reported, whatever ended the rest
        write(runs, reader.read(runs), args)


if __name__ == '__main__':
    run_tool(main)
