"""Which versions of the stacks, torch and Python the project works on.

For each combination it clones this checkout (what is committed), puts that
torch and what it brings in the lock's place, and lets `make` set it up and run
the tests there: the same way that a user goes. A combination whose row is in
the JSON is not tried again; remove the row to do so. The table in
docs/dependencies.md is what this prints. Each takes minutes to set up, 6 GB of
disk while it is tried, and the time of the tests.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from mmselfemd.atomic_file import atomic_write
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The set-up is no package. Last, so as to hide nothing.
sys.path.append(str(ROOT / 'tools' / 'setup'))

import stacks  # noqa: E402

#: Oldest and newest torch that each stack allows: setup.py asks for 2.6, and
#: from 2.14 on torch needs C++20, with which neither mmcv builds.
COMBINATIONS = (
    'openmmlab:2.6.0',
    'openmmlab:2.13.0',
    'onedl:2.6.0',
    'onedl:2.13.0',
)
#: What torch and torchvision ask for without a version of their own: the
#: stack's bounds on these stay.
KEPT = ('numpy', 'pillow', 'setuptools')
#: What belongs to one torch alone.
OF_TORCH = re.compile(r'(torch|torchvision|triton|nvidia-.*|cuda-.*)==')
#: Whose versions a row of the table names; of mmcv, either stack's.
VERSIONS = ('torch', 'numpy', 'opencv-python-headless', 'mmcv', 'mmdet')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'combinations',
        nargs='*',
        default=COMBINATIONS,
        metavar='STACK:TORCH',
        help='(default: %(default)s)',
    )
    parser.add_argument(
        '--python',
        nargs='+',
        default=[sys.base_exec_prefix + '/bin/python3'],
        help='each combination with each of these (default: %(default)s)',
    )
    parser.add_argument(
        '--tests',
        nargs='+',
        default=[],
        metavar='PATH',
        help='of the tests, these alone (default: all that are not slow)',
    )
    parser.add_argument(
        '--keep',
        type=Path,
        metavar='DIR',
        help='keep the clones there, set up, for the next time',
    )
    parser.add_argument(
        '--json',
        type=Path,
        default=ROOT / 'docs' / 'results' / 'versions.json',
        metavar='OUT',
        help='(default: %(default)s)',
    )
    return parser.parse_args()


def read_combination(text: str) -> tuple[str, str]:
    """Stack and version of torch, of what the command line names."""
    stack, colon, torch = text.partition(':')
    if stack not in stacks.STACKS or not re.fullmatch(r'\d+\.\d+\.\d+', torch):
        raise UserError(
            f'{text}: expected a stack ({", ".join(stacks.STACKS)}), a colon '
            'and a version of torch, such as onedl:2.13.0'
        )
    return stack, torch


def resolve_torch(python: str, torch: str, lines: list[str]) -> dict[str, str]:
    """What a torch and its torchvision bring, as pip finds it.

    Args:
        python (str): The Python that is to have them.
        torch (str): Its version.
        lines (list[str]): The lock, for the bounds that stay.

    Returns:
        dict[str, str]: Versions by name.

    Raises:
        UserError: If pip finds none.
    """
    kept = [line for line in lines if line.startswith(tuple(KEPT))]
    with tempfile.TemporaryDirectory() as room:
        bounds, out = Path(room, 'bounds.txt'), Path(room, 'report.json')
        bounds.write_text('\n'.join(kept))
        done = subprocess.run(
            [
                *(python, '-m', 'pip', 'install', '--dry-run', '--quiet'),
                *('--ignore-installed', '--break-system-packages'),
                *('--constraint', bounds, '--report', out),
                *(f'torch=={torch}', 'torchvision'),
            ],
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise UserError(f'torch {torch}: pip says\n{done.stderr.strip()}')
        found = json.loads(out.read_text())['install']
    return {
        each['metadata']['name'].lower(): each['metadata']['version']
        for each in found
    }


def change_lock(lock: Path, python: str, torch: str) -> None:
    """Put another torch, and what it brings, in the place of a lock's own."""
    lines = [
        line
        for line in lock.read_text().splitlines()
        if line and not line.startswith('#')
    ]
    if any(line.split()[0] == f'torch=={torch}' for line in lines):
        return
    brought = resolve_torch(python, torch, lines)
    rest = [
        line
        for line in lines
        if not OF_TORCH.match(line) and line.partition('==')[0] not in brought
    ]
    ours = [f'{name}=={version}' for name, version in brought.items()]
    lock.write_text('\n'.join(sorted(rest + ours)) + '\n')


def run_make(
    clone: Path, stack: str, python: str, *arguments: str
) -> tuple[bool, float]:
    """Run ``make`` in a clone; whether it ended well, and its seconds."""
    start = time.monotonic()
    done = subprocess.run(
        ['make', *arguments, f'STACK={stack}', f'PYTHON={python}'],
        cwd=clone,
        env={
            name: value
            for name, value in os.environ.items()
            if name not in ('VIRTUAL_ENV', 'PYTHONPATH', 'PYTHONHOME')
        },
    )
    return done.returncode == 0, time.monotonic() - start


def versions_of(python: Path) -> dict[str, str]:
    """Versions that an environment holds, of :data:`VERSIONS`."""
    done = subprocess.run(
        [python, '-m', 'pip', 'list', '--format', 'json'],
        capture_output=True,
        text=True,
        check=True,
    )
    named = {each['name']: each['version'] for each in json.loads(done.stdout)}
    named |= {
        # The fork's distributions have names of their own.
        'mmcv': named.get('mmcv') or named.get('onedl-mmcv'),
        'mmdet': named.get('mmdet') or named.get('onedl-mmdetection'),
    }
    return {name: named.get(name) for name in VERSIONS}


def read_results(file: Path) -> dict[str, Any]:
    """Counts of a JUnit report, and the names of what failed."""
    cases = ElementTree.parse(file).iter('testcase')
    found: dict[str, Any] = dict(passed=0, skipped=0, failed=[])
    for case in cases:
        if case.find('failure') is not None or case.find('error') is not None:
            name = f'{case.get("classname")}::{case.get("name")}'
            found['failed'].append(name)
        elif case.find('skipped') is not None:
            found['skipped'] += 1
        else:
            found['passed'] += 1
    return found


def fetch_clone(clone: Path) -> None:
    """Make a clone of this checkout, or bring one up to date."""
    if clone.exists():
        git = ('git', '-C', clone)
        subprocess.run([*git, 'fetch', '-q', ROOT, 'HEAD'], check=True)
        subprocess.run(
            [*git, 'reset', '-q', '--hard', 'FETCH_HEAD'], check=True
        )
        return
    subprocess.run(['git', 'clone', '-q', ROOT, clone], check=True)
    # Photographs beside this checkout are beside the clone, too.
    beside = clone.parent / 'shared'
    if not beside.is_symlink():
        beside.symlink_to(ROOT.parent / 'shared')


def try_out(
    stack: str, torch: str, python: str, tests: list[str], clone: Path
) -> dict[str, Any]:
    """Set a combination up in a clone and run the tests.

    Args:
        stack (str): Name of the stack.
        torch (str): Version of torch.
        python (str): The Python to set up with.
        tests (list[str]): Which tests; none: all.
        clone (Path): Where the clone is, or is to be.

    Returns:
        dict[str, Any]: Versions, ``setup_seconds`` of a new clone,
        ``tests_seconds`` and counts; with ``stopped_at`` ``setup`` or
        ``tests`` if it came no further.
    """
    is_new = not clone.exists()
    fetch_clone(clone)
    report = clone / 'junit.xml'
    report.unlink(missing_ok=True)
    described = stacks.STACKS[stack]
    change_lock(clone / 'requirements' / described.lock, python, torch)
    good, seconds = run_make(clone, stack, python, 'setup')
    # That of a clone that was set up before says nothing.
    row = dict(setup_seconds=round(seconds)) if is_new else {}
    if not good:
        return row | dict(stopped_at='setup')
    row |= versions_of(clone / described.venv / 'bin' / 'python')
    # By its name alone: a shell takes the words of ARGS apart at spaces.
    arguments = f'ARGS={" ".join(tests)} --junitxml={report.name}'
    _, seconds = run_make(clone, stack, python, 'test', arguments)
    row |= dict(tests=tests or ['all'], tests_seconds=round(seconds))
    if not report.exists():
        return row | dict(stopped_at='tests')
    return row | read_results(report)


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as the table of docs/dependencies.md."""
    lines = [
        '| stack | Python | torch | numpy | OpenCV | mmcv | tests | passed '
        '| failed | skipped |',
        '| --- ' * 10 + '|',
    ]
    for row in rows:
        if row.get('stopped_at'):
            said = f'stopped at its {row["stopped_at"]}'
            cells = [said, '', '', '']
        else:
            tests = 'all' if row['tests'] == ['all'] else 'some'
            cells = [tests, row['passed'], len(row['failed']), row['skipped']]
        versions = [row.get(name) or '' for name in VERSIONS[1:4]]
        cells = [row['stack'], row['python'], row['torch'], *versions, *cells]
        lines.append('| ' + ' | '.join(map(str, cells)) + ' |')
    return '\n'.join(lines)


def main() -> None:
    """Try each combination, save after each, and print the table."""
    args = parse_args()
    wanted = [
        (*read_combination(text), python)
        for text in args.combinations
        for python in args.python
    ]
    rows = json.loads(args.json.read_text()) if args.json.exists() else []
    args.json.parent.mkdir(parents=True, exist_ok=True)
    for number, (stack, torch, python) in enumerate(wanted, 1):
        code = 'import platform; print(platform.python_version())'
        version = subprocess.run(
            [python, '-c', code], capture_output=True, text=True, check=True
        ).stdout.strip()
        row = dict(stack=stack, python=version, torch=torch)
        if any(row.items() <= each.items() for each in rows):
            continue
        said = f'{stack}, Python {version}, torch {torch}'
        print(f'[{number}/{len(wanted)}] {said}', flush=True)
        with tempfile.TemporaryDirectory() as room:
            kept = args.keep.resolve() if args.keep else Path(room)
            clone = kept / f'{stack}-{torch}-python{version}'
            found = try_out(stack, torch, python, args.tests, clone)
        rows.append(found | row)
        with atomic_write(args.json, durable=False) as file:
            file.write(json.dumps(rows, indent=1).encode() + b'\n')
    print(table(rows))


if __name__ == '__main__':
    run_tool(main)
