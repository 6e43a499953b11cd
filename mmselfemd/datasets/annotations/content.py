"""An annotation file by itself: read once, checked, handed on."""

import json
import os
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmselfemd.errors import UserFileNotFoundError

from .boxes import check_boxes
from .columns import LISTS, read_table
from .findings import Findings
from .masks import check_masks
from .table import CocoTable


@dataclass
class CheckedFile:
    """An annotation file that was read and checked.

    Attributes:
        file (str): Its path.
        table (CocoTable | None): Its columns; None where it has no shape.
        findings (Findings): What is wrong with it by itself.
        content (Any): The parsed JSON, until it is taken.
    """

    file: str
    table: CocoTable | None
    findings: Findings
    content: Any = None

    def check_masks(self, only_polygons: bool) -> Findings:
        """Look at the masks, where the file has no other faults.

        Args:
            only_polygons (bool): Whether others are left out.

        Returns:
            Findings: What is wrong with them.
        """
        if self.table is None or self.findings.stops:
            return Findings()
        content = self.content or read_json(self.file)[0]
        annotations = content.get('annotations', [])
        return check_masks(self.table, annotations, only_polygons)

    def take(self) -> Any:
        """The parsed JSON, for one who may change it.

        Returns:
            Any: That which was checked, the first time; read again later.
        """
        content, self.content = self.content, None
        return read_json(self.file)[0] if content is None else content


_STARTS = {
    b'\x1f\x8b': 'compressed by gzip: unpack it',
    b'PK': 'a ZIP archive: unpack it',
    b'\xff\xfe': 'UTF-16: save it as UTF-8',
    b'\xfe\xff': 'UTF-16: save it as UTF-8',
    b'\xff\xd8': 'an image',
    b'\x89PNG': 'an image',
    b'<': 'XML or a web page',
    b'version https://git-lfs': 'a pointer of Git LFS: run git lfs pull',
}

# Of files that a run is about to load, by path and state.
_checked: dict[tuple, CheckedFile] = {}


def checked_file(path: str | os.PathLike, keep: bool = True) -> CheckedFile:
    """Read and check a file, or remember that this was done.

    Args:
        path (str | os.PathLike): The file.
        keep (bool): Whether to remember it until :func:`forget_files`.
            Defaults to True.

    Returns:
        CheckedFile: What is in it, and what is wrong.

    Raises:
        UserFileNotFoundError: If there is no such file.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise UserFileNotFoundError(
            f"the annotation file '{path}' is a folder, or no regular file; "
            'name the JSON file itself'
            if os.path.exists(path)
            else f"no such annotation file: '{path}'"
        )
    status = os.stat(path)
    key = (os.path.abspath(path), status.st_size, status.st_mtime_ns)
    if key in _checked:
        return _checked[key]
    content, findings = read_json(path)
    table = None
    if not findings.stops:
        table, found = check_content(content, path)
        findings.extend(found)
    checked = CheckedFile(path, table, findings, content)
    if keep:
        _checked[key] = checked
    return checked


def forget_files() -> None:
    """Let go of what :func:`checked_file` keeps: gigabytes for COCO."""
    _checked.clear()


def read_json(path: str | os.PathLike) -> tuple[Any, Findings]:
    """Parse a file.

    Args:
        path (str | os.PathLike): The file.

    Returns:
        tuple[Any, Findings]: What it holds, and ``not-json`` if it does not
        parse, or ``not-coco`` if one of its lists is there twice.
    """
    findings = Findings()
    try:
        with open(path, encoding='utf-8-sig') as file:
            text = file.read()
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        told = f'{error}{_another_format(path)}'
        findings.add('not-json', os.fspath(path), [told])
        return None, findings
    findings.add('not-coco', os.fspath(path), _lists_twice(text))
    return content, findings


def _lists_twice(text: str) -> list[str]:
    """Lists that are there more than once, of which Python keeps the last."""
    # To count is fast; to parse again is not, and rarely needed.
    if not any(
        text.count(f'"{name}"') > 1
        and len(re.findall(rf'"{name}"\s*:', text)) > 1
        for name in LISTS
    ):
        return []
    outermost: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        outermost[:] = pairs  # the last call is that of the whole

    json.loads(text, object_pairs_hook=keep)
    names = [name for name, _ in outermost]
    return [
        f'"{name}" is there {names.count(name)} times'
        for name in LISTS
        if names.count(name) > 1
    ]


def _another_format(path: str | os.PathLike) -> str:
    """What a file that is no JSON is by its first bytes, if that is clear."""
    with open(path, 'rb') as file:
        head = file.read(64)
    if not head:
        return '; the file is empty'
    for start, what in _STARTS.items():
        if head.startswith(start):
            return f'; it is {what}'
    return ''


def check_content(
    content: Any, file: str
) -> tuple[CocoTable | None, Findings]:
    """Check what stands in a file, without its images.

    Args:
        content (Any): The parsed JSON.
        file (str): Its name, for what is found.

    Returns:
        tuple[CocoTable | None, Findings]: Its columns, None where it does
        not have the shape of COCO's, and what is wrong.
    """
    table, findings = read_table(content, file)
    if table is None:
        return table, findings
    findings.extend(check_boxes(table))
    if not findings.stops:
        findings.extend(_check_use(table))
    return table, findings


def _check_use(table: CocoTable) -> Findings:
    """Whether there is something to learn."""
    findings = Findings()
    file, num_boxes = table.file, len(table.boxes)
    if num_boxes and (table.crowd == 1).all():
        findings.add('all-crowd', file, [f'all {num_boxes} annotations'])
    elif not table.usable.any():
        findings.add(
            'no-box',
            file,
            [f'{len(table.image_ids)} images, {num_boxes} annotations'],
        )
    else:
        has_box = np.zeros(len(table.image_ids), bool)
        has_box[table.image_index] = True
        findings.add(
            'image-without-box',
            file,
            [f'image {table.image_name(k)}' for k in np.flatnonzero(~has_box)],
        )
    return findings
