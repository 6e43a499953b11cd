"""The images of an annotation file on the disk."""

import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath, PureWindowsPath

from mmselfemd.datasets.transforms.encoded_image import BrokenImageError

from .findings import Findings
from .image_size import look_at_image
from .table import CocoTable

#: Of an image file by its row in the table: path, and what is alike in
#: equal files.
Keys = dict[int, tuple[str, tuple[int, int]]]


def check_images(table: CocoTable, folder: str) -> tuple[Findings, Keys]:
    """Compare the images of a file with those on the disk.

    Of each no more than the header is read.

    Args:
        table (CocoTable): The annotation file.
        folder (str): Folder that the names are below.

    Returns:
        tuple[Findings, Keys]: What is wrong; and path and key, see
        :class:`ImageFile`, of those that could be read.
    """
    keys: Keys = {}
    rows: dict[str, int] = {}
    listed = _Listing(folder)
    sizes = list(map(tuple, table.sizes.tolist()))

    def fault(row: int, name: str) -> tuple[str, str]:
        kind, told = _look_at_name(name, listed)
        if kind:
            return kind, told
        other = rows.setdefault(_plain(name), row)
        if other != row:
            return 'file-twice', f' and {table.image_ids[other]}'
        path = os.path.join(folder, name)
        try:
            seen = look_at_image(path)
        except (OSError, BrokenImageError) as error:
            return 'image-unreadable', f': {error}'
        keys[row] = (path, seen.key)
        if sizes[row] != seen.size and sizes[row][0]:
            return 'size-differs', ', decodes as {} x {}'.format(*seen.size)
        return '', ''

    def found() -> Iterator[tuple[str, str]]:
        for row, name in enumerate(table.file_names):
            kind, told = fault(row, name) if name else ('', '')
            if kind:
                yield kind, f'image {table.image_name(row)}{told}'

    return Findings.of(table.file, found()), keys


class _Listing:
    """What is in folders, by a look at each folder instead of each file."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names = lru_cache(maxsize=None)(self._names)

    def _names(self, below: str) -> dict[str, str]:
        """Names in a folder, by their small letters and as they are."""
        try:
            names = os.listdir(os.path.join(self.folder, below))
        except OSError:
            return {}
        return {_folded(n): n for n in names} | {n: n for n in names}

    def find(self, name: str) -> str | None:
        """The path of a file as it is on the disk, whatever its capitals."""
        parts = PurePosixPath(name).parts
        found = ''
        for part in parts:
            names = self.names(found)
            actual = names.get(part) or names.get(_folded(part))
            if actual is None:
                return None
            found = os.path.join(found, actual)
        return found


def _folded(name: str) -> str:
    """A name in small letters; macOS takes accents off letters, too."""
    return unicodedata.normalize('NFC', name).casefold()


def _plain(name: str) -> str:
    """A path without ``./`` and the like."""
    return os.path.normpath(name) if '/' in name else name


def _look_at_name(name: str, listed: _Listing) -> tuple[str, str]:
    """What is wrong with a name, if anything, and what to add to it."""
    if '/' not in name and listed.names('').get(name) == name:
        return '', ''  # as nearly all
    if os.path.isabs(name) or PureWindowsPath(name).is_absolute():
        return 'file-name-absolute', ''
    path = os.path.normpath(name)
    if path.split(os.sep)[0] == os.pardir:
        return 'file-name-climbs', ''
    actual = listed.find(path)
    if not actual:
        if '\\' in name:
            return 'file-missing', ', named with backslashes'
        return 'file-missing', f' in {listed.folder!r}'
    if actual != path:
        return 'file-name-case', f', on the disk {ascii(actual)}'
    return '', ''
