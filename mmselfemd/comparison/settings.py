"""What a comparison was asked for, and whether that is still the same."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserFileExistsError, UserValueError

_RECORD = 'settings.json'
_PARTS = dict(
    settings=dict, lengths=list, seconds=dict, files=dict, configs=dict
)


@dataclass(frozen=True)
class Settings:
    """What decides about the runs of a comparison.

    Attributes:
        images (Path): Folder of the unlabelled photographs.
        train (Path): Annotations that detectors are trained on.
        val (Path): Annotations that they are evaluated on.
        train_images (Path): Folder of the images of ``train``.
        val_images (Path): Folder of the images of ``val``.
        candidates (tuple[str, ...]): As they were named, see
            :func:`~mmselfemd.comparison.candidates.parse_candidates`.
        detector (Path): Config that the detectors follow.
        pretraining (dict[str, Path]): Config of each way of pre-training.
        hours (float | None): Budget by the clock; None if the iterations are
            given.
        iterations (tuple[int, int] | None): Of a pre-training and a detector.
        seconds (tuple[float, float] | None): Of an iteration of each; None:
            they are measured.
        fractions (tuple[float, ...]): Shares of the labelled images.
        seeds (int): How many runs of each.
        evaluations (int): How many a detector has, on the way and at the end.
        leave_out_val (bool): Whether photographs of ``val`` are left out of
            pre-training.
        pretrain_options (dict): Settings of the configs of pre-training.
        detector_options (dict): Settings of the detector's config.
    """

    images: Path
    train: Path
    val: Path
    train_images: Path
    val_images: Path
    candidates: tuple[str, ...]
    detector: Path
    pretraining: dict[str, Path]
    hours: float | None = None
    iterations: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None
    fractions: tuple[float, ...] = (1.0,)
    seeds: int = 3
    evaluations: int = 4
    leave_out_val: bool = False
    pretrain_options: dict[str, Any] = field(default_factory=dict)
    detector_options: dict[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raise if they cannot be meant.

        Raises:
            UserValueError: With the option.
        """
        if (self.hours is None) == (self.iterations is None):
            raise UserValueError(
                'say how long it may take: --hours H, or --iterations P F, '
                'those of a pre-training and of a detector'
            )
        names = ('hours', 'seeds', 'evaluations')
        positive = {name: getattr(self, name) for name in names}
        for name, value in positive.items():
            if value is not None and not 0 < value < inf:
                raise UserValueError(
                    f'--{name} {value:g}: expected more than 0, and finite'
                )
        for name in ('iterations', 'seconds'):
            values = getattr(self, name) or (1,)
            if not all(0 < value < inf for value in values):
                raise UserValueError(
                    f'--{name}: expected more than 0, and finite'
                )

    def as_json(self) -> dict:
        """In JSON's types."""
        return json.loads(json.dumps(asdict(self), default=str))


def read_record(work_dir: Path) -> dict | None:
    """What the comparison of a folder was asked for.

    Args:
        work_dir (Path): The folder.

    Returns:
        dict | None: See :func:`write_record`; None if nothing has begun.

    Raises:
        UserValueError: If it was damaged since.
    """
    path = work_dir / _RECORD
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_bytes())
    except ValueError:
        record = None
    if not isinstance(record, dict) or not all(
        isinstance(record.get(part), kind) for part, kind in _PARTS.items()
    ):
        raise UserValueError(
            f"'{path}' no longer tells what the comparison began with: put "
            'it back, or begin another one: --work-dir DIR'
        )
    return record


def write_record(work_dir: Path, record: Mapping) -> None:
    """Write down what a comparison was asked for.

    Args:
        work_dir (Path): Its folder.
        record (Mapping): ``settings``; ``machine``, ``seconds`` and
            ``lengths`` of its plan; ``files`` and ``configs``: digests by
            name.
    """
    with atomic_write(work_dir / _RECORD) as file:
        file.write(json.dumps(record, indent=2).encode())


def check_same(
    work_dir: Path, record: Mapping, former: Mapping | None
) -> None:
    """Raise if a comparison that has begun would go on with something else.

    Args:
        work_dir (Path): Its folder.
        record (Mapping): What is asked for now.
        former (Mapping, optional): What was asked for when it began.

    Raises:
        UserFileExistsError: With what has changed, or if nothing tells.
    """
    if former is None:
        raise UserFileExistsError(
            f"'{work_dir}' holds runs, and no {_RECORD} that tells of what: "
            'choose another --work-dir'
        )
    changed = [
        f'{name} was {was!r} and is {now!r}'
        for name, was, now in _changes(former['settings'], record['settings'])
    ]
    # Else the files are others because of the settings.
    changed = changed or [
        f'{name} has another content'
        for name, *_ in _changes(former['files'], record['files'])
    ]
    if changed:
        raise UserFileExistsError(
            f"'{work_dir}' holds a comparison that has begun, and not with "
            f'the same: {"; ".join(changed)}. Go on with what it began with, '
            'or begin another one: --work-dir DIR'
        )


def _changes(former: Mapping, now: Mapping) -> list[tuple]:
    return [
        (name, former.get(name), now.get(name))
        for name in dict.fromkeys((*former, *now))
        if former.get(name) != now.get(name)
    ]


def digest(content: bytes | str | Path) -> str:
    """What stands for a content.

    Args:
        content (bytes | str | Path): It, or the file that holds it.

    Returns:
        str: SHA-256, in hexadecimal.
    """
    if isinstance(content, Path):
        content = content.read_bytes()
    if isinstance(content, str):
        content = content.encode()
    return hashlib.sha256(content).hexdigest()
