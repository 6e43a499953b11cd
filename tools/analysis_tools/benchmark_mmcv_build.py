"""How much processor time the set-up's build of mmcv saves.

Builds mmcv twice in temporary folders, one build after the other: as the
set-up does, its files in a few units without debugging information, and as
mmcv's own build does, each file by itself. Both are by the set-up's own code.
Then compares their operators, and what those of mmdet's detectors compute.
The cache and the environment stay as they are. Takes half an hour of
processor time. See docs/dependencies.md.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The set-up is no package. Last, so as to hide nothing.
sys.path.append(str(ROOT / 'tools' / 'setup'))

import environment  # noqa: E402
import host  # noqa: E402
import mmcv_build  # noqa: E402
import mmcv_wheel  # noqa: E402
from errors import SetupError  # noqa: E402

# By the name that the table and the JSON give it: whether in units.
WAYS = {'units': True, 'files': False}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def processor_seconds() -> float:
    """What ended child processes, and theirs, have had of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def build(room: Path, together: bool) -> dict[str, Any]:
    """Build mmcv one way.

    Args:
        room (Path): A folder of its own.
        together (bool): Whether its files are compiled in units.

    Returns:
        dict[str, Any]: Seconds and the wheel's path.

    Raises:
        UserError: If the build fails.
    """
    python = Path(sys.executable)
    (requirement,) = environment.requirements_of(
        ROOT / 'requirements' / 'mmcv.txt'
    )
    _, torch_cuda, usable = mmcv_wheel.ask_torch(python)
    ops = host.choose_ops(
        host.gpu_capabilities(), host.cuda_toolkits(), torch_cuda, usable
    )
    used, start = processor_seconds(), time.monotonic()
    try:
        wheel = mmcv_build.build(python, requirement, ops, room, together)
    except SetupError as error:
        raise UserError(f'mmcv does not build here:\n{error}') from error
    return dict(
        operators=ops.name,
        processor_seconds=processor_seconds() - used,
        seconds=time.monotonic() - start,
        wheel=wheel,
    )


def operators_of(wheel: Path) -> dict[str, Any]:
    """Names and results of a wheel's operators, by mmcv_operators.py."""
    unpacked, out = wheel.parent / 'unpacked', wheel.parent / 'operators.pth'
    with zipfile.ZipFile(wheel) as file:
        file.extractall(unpacked)
    done = subprocess.run(
        [sys.executable, HERE / 'mmcv_operators.py', out],
        env=os.environ | dict(PYTHONPATH=str(unpacked)),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ['no message'])[-1]
        raise UserError(f'the operators of {wheel.name} do not run: {last}')
    found = torch.load(out)
    if not Path(found['file']).is_relative_to(unpacked):
        raise UserError(
            f"not the new build's mmcv was loaded: {found['file']}"
        )
    return found


def equal(one: list | str, other: list | str) -> bool:
    """Whether two results, or two refusals, are the same to the bit."""
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return len(one) == len(other) and all(map(torch.equal, one, other))


def compare(ours: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Compare what two builds hold and compute.

    Args:
        ours (dict): As mmcv_operators.py writes it.
        own (dict): The same of the other build.

    Returns:
        dict: ``operators_equal``, how many operators there are, and of each
        that was tried whether the results are equal, or else that this
        machine cannot run it.
    """
    results = {
        name: 'not for this device'
        if isinstance(result, str) and result == own['results'][name]
        else equal(result, own['results'][name])
        for name, result in ours['results'].items()
    }
    return dict(
        operators_equal=ours['names'] == own['names']
        and all(results.values()),
        operators=len(ours['names']),
        results=results,
    )


def show(figures: dict[str, Any]) -> None:
    """Print the table."""
    table = Table(
        title=f'mmcv, operators: {figures["ways"]["units"]["operators"]}'
    )
    for heading in ('build', 'processor, s', 'wall clock, s'):
        table.add_column(heading)
    for name, way in figures['ways'].items():
        table.add_row(
            name, f'{way["processor_seconds"]:.0f}', f'{way["seconds"]:.0f}'
        )
    console = Console()
    console.print(table)
    console.print(
        f'Processor time: {figures["processor_time_ratio"]:.1f} times less. '
        f'{figures["operators"]} operators; '
        + ('equal.' if figures['operators_equal'] else 'NOT equal.')
    )
    for name, result in figures['results'].items():
        console.print(f'  {name}: {result}')


def main() -> None:
    """Build both ways, compare, print and write."""
    args = parse_args()
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        ways, found = {}, {}
        for way, together in WAYS.items():
            ways[way] = build(Path(name, way, 'mmcv'), together)
            found[way] = operators_of(ways[way].pop('wheel'))
    seconds = {
        way: figures['processor_seconds'] for way, figures in ways.items()
    }
    figures = dict(
        processor_time_ratio=seconds['files'] / seconds['units'],
        **compare(found['units'], found['files']),
        ways=ways,
    )
    show(figures)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
