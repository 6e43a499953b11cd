"""Where the values of a curve come from: a run, or a file of results."""

import json
import os
import re
from collections.abc import Iterable
from math import inf
from pathlib import Path

from mmselfemd.errors import UserValueError

from .curves import Series, read_scalars


def read_curves(path: str | os.PathLike) -> dict[str, Series]:
    """Read all curves of a run, or of its checkpoints.

    Args:
        path (str | os.PathLike): The work directory of a run; a run that was
            resumed is read as one, and what another left there, which it did
            not go on from, is not. Or a JSON file of
            ``measure_matching.py`` or ``read_boxes.py`` on checkpoints of a
            run, whose numbers are the steps; the untrained network is step 0.

    Returns:
        dict[str, tuple[list, list]]: For each figure its steps and values.

    Raises:
        UserValueError: If there is nothing to read.
    """
    path = Path(path)
    if path.is_dir():
        return _of_run(path)
    if path.is_file():
        return _of_checkpoints(path)
    raise UserValueError(f"'{path}' is neither a folder nor a file")


def logs_of_run(work_dir: Path) -> list[Path]:
    """The logs of a run, from the last start that did not go on from one.

    Args:
        work_dir (Path): The work directory of the run.

    Returns:
        list[Path]: ``scalars.json`` of each start, by time.
    """
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    # That of the loss: a validation may be counted by epochs.
    losses = [read_scalars(file).get('loss') for file in files]
    firsts = [loss[0][0] if loss else inf for loss in losses]
    anew = [n for n, first in enumerate(firsts) if first == min(firsts)]
    return files[anew[-1] :] if min(firsts, default=inf) < inf else files


def _of_run(work_dir: Path) -> dict[str, Series]:
    files = logs_of_run(work_dir)
    if not files:
        raise UserValueError(
            f"'{work_dir}' has no */vis_data/scalars.json: expected the work "
            'directory of a run with LocalVisBackend'
        )
    merged: dict[str, dict[float, float]] = {}
    for file in files:  # by time of start: the later one knows better
        for name, (steps, values) in read_scalars(file).items():
            merged.setdefault(name, {}).update(zip(steps, values, strict=True))
    return {name: _sorted(points) for name, points in merged.items()}


def _of_checkpoints(path: Path) -> dict[str, Series]:
    try:
        content = json.loads(path.read_text())
        results = content.get('readings', content)
        names = _by_number(results)
        points: dict[str, dict[float, float]] = {}
        for step, name in names.items():
            for figure, value in results[name].items():
                if isinstance(value, (int, float)):  # no differences
                    points.setdefault(figure, {})[step] = value
    except (ValueError, AttributeError) as error:
        raise UserValueError(
            f"'{path}' is not a file of measure_matching.py or read_boxes.py "
            f'on numbered checkpoints of a run: {error}'
        ) from error
    return {figure: _sorted(values) for figure, values in points.items()}


def _by_number(names: Iterable[str]) -> dict[int, str]:
    """Checkpoints by number: two of one are of two runs, and no curve."""
    found: dict[int, str] = {}
    for name in names:
        step = _step(name)
        if step in found:
            raise ValueError(
                f"'{found[step]}' and '{name}' both have the number {step}; "
                'measure each run into a file of its own'
            )
        found[step] = name
    return found


def _step(name: str) -> int:
    if name == 'untrained':
        return 0
    found = re.search(r'(?:epoch|iter)_(\d+)\.pth$', name)
    if found is None:
        raise ValueError(f"'{name}' has no number, as 'epoch_10.pth' has")
    return int(found.group(1))


def _sorted(points: dict[float, float]) -> Series:
    steps = sorted(points)
    return steps, [points[step] for step in steps]
