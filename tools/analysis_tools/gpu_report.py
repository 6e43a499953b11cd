"""All figures of a GPU in one run: speed, memory, input, training, resume.

Each part is a process of its own with its share of the time: one that fails
or takes too long is reported, and the rest goes on. The table is printed at
the end; the figures so far, and the log of each part, are in the work
directory at any moment. See docs/step.md.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gpu_report_parts import Part, Settings, all_parts
from gpu_report_table import conclusions, show
from mmengine.utils.dl_utils import collect_env

from mmselfemd.atomic_file import atomic_write
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserError

#: Seconds below which a part is not begun: Python and torch alone take some.
LEAST_SECONDS = 10


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--minutes',
        type=float,
        default=8,
        help='for all parts together (default: %(default)s)',
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=256,
        help='of the steps that are timed; it is halved where the memory is '
        'not enough (default: %(default)s)',
    )
    parser.add_argument(
        '--data',
        type=Path,
        help='folder of photographs for the input pipeline (default: the '
        'scenes that are made for the trainings)',
    )
    parser.add_argument(
        '--parts', nargs='+', metavar='NAME', help='only these, by name'
    )
    parser.add_argument(
        '--device',
        choices=['cuda', 'cpu'],
        default='cuda',
        help='(default: %(default)s)',
    )
    parser.add_argument(
        '--tiny',
        action='store_true',
        help='a small network and a few steps: whether the parts run',
    )
    parser.add_argument(
        '--work-dir', type=Path, default=Path('work_dirs/gpu_report')
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def choose(parts: list[Part], names: Sequence[str] | None) -> list[Part]:
    """The parts of these names, and those that they need."""
    if not names:
        return parts
    known = [part.name for part in parts]
    for name in names:
        if name not in known:
            raise UserError(
                f'--parts {name}: expected some of ' + ', '.join(known)
            )
    return [part for part in parts if part.needed or part.name in names]


def run_part(part: Part, limit: float, settings: Settings) -> dict:
    """Run a part in a process of its own.

    Args:
        part (Part): The part.
        limit (float): Seconds after which it is ended.
        settings (Settings): Where its log goes, and its device.

    Returns:
        dict: ``ok``, ``seconds``, and ``figures`` or else an ``error``.
    """
    log = settings.log_of(part.name)
    out = settings.json_of(part.name)
    out.unlink(missing_ok=True)
    start = time.monotonic()
    with log.open('w') as file:
        process = subprocess.Popen(
            [sys.executable, *part.command(limit)],
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=settings.environment(),
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
    result = dict(ok=code == 0, seconds=time.monotonic() - start)
    if code is None:
        return result | dict(error=f'ended: it took more than {limit:.0f} s')
    if code:
        lines = log.read_text(errors='replace').split('\n')
        said = [line.strip() for line in lines if line.strip()]
        return result | dict(error=(said or [f'status {code}'])[-1])
    figures = json.loads(out.read_text()) if out.exists() else {}
    return result | dict(figures=figures)


def end(process: subprocess.Popen) -> None:
    """End a process and all that it has started, if any is left."""
    for number, patience in ((signal.SIGTERM, 5), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue


def run_parts(
    parts: list[Part], minutes: float, settings: Settings, report: dict
) -> None:
    """Run the parts one after the other; what one leaves, the next have.

    Args:
        parts (list[Part]): The parts, in their order.
        minutes (float): For all of them.
        settings (Settings): What they are run with.
        report (dict): Gets the result of each, and is saved after each.
    """
    deadline = time.monotonic() + 60 * minutes
    for number, part in enumerate(parts):
        left = deadline - time.monotonic()
        weights = [each.weight for each in parts[number:]]
        limit = left * weights[0] / sum(weights)
        print(
            f'[{number + 1}/{len(parts)}] {part.name}: {part.title} '
            f'(at most {max(limit, 0):.0f} s; {clock(left)} left)',
            flush=True,
        )
        if limit < LEAST_SECONDS:
            result = dict(ok=False, seconds=0, error='no time was left for it')
        else:
            result = run_part(part, limit, settings)
        report['parts'][part.name] = result
        said = 'done' if result['ok'] else f'failed: {result["error"]}'
        print(f'      {said}, in {result["seconds"]:.0f} s', flush=True)
        save(report, settings.report)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    return f'{minutes}:{rest:02d}'


def save(report: dict, path: Path) -> None:
    """Write the report, whole or not at all."""
    with atomic_write(path, durable=False) as file:
        file.write(json.dumps(report, indent=2).encode() + b'\n')


def main() -> None:
    """Run the parts, print the table and save; 1 if a part failed."""
    args = parse_args()
    if args.minutes <= 0 or args.batch_size < 1:
        raise UserError('--minutes and --batch-size must be above 0')
    settings = Settings(
        work_dir=args.work_dir.resolve(),
        device=args.device,
        tiny=args.tiny,
        batch_size=4 if args.tiny else args.batch_size,
        photographs=args.data and args.data.resolve(),
        report=args.json or args.work_dir / 'report.json',
    )
    parts = choose(all_parts(settings), args.parts)
    settings.prepare()
    report = dict(machine=machine(args.device), tiny=args.tiny, parts={})
    run_parts(parts, args.minutes, settings, report)
    report |= conclusions(report['parts'])
    save(report, settings.report)
    show(report)
    print(f'The figures are in {settings.report}')
    if not all(each['ok'] for each in report['parts'].values()):
        sys.exit(1)


def machine(device: str) -> dict[str, str]:
    """The card, its driver and the versions, as mmengine collects them."""
    found = {
        name: str(value)
        for name, value in collect_env().items()
        # The parts see none of them on the CPU.
        if device == 'cuda' or not name.startswith('GPU ')
    }
    if device == 'cuda' and found.get('CUDA available') != 'True':
        raise UserError('torch sees no GPU here: --device cpu --tiny tries it')
    return found | {'CPU cores': str(len(os.sched_getaffinity(0)))}


if __name__ == '__main__':
    run_tool(main)
