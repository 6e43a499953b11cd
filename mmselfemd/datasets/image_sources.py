"""The images of a folder tree or of a list file, one by one."""

import codecs
import errno
import logging
import os
from collections.abc import Iterator, Sequence

from mmengine.fileio import get_local_path
from mmengine.fileio.backends import BaseStorageBackend, LocalBackend
from mmengine.logging import print_log

#: Folders of thumbnails, trash, forks and a disk's own records that systems
#: make, beside all whose names begin with a dot (``.thumbnails``,
#: ``.Trash-1000``). The last two, at the root of a disk, may not be read.
SYSTEM_FOLDERS = {
    *('@eaDir', '__MACOSX', '#recycle', '$RECYCLE.BIN'),
    *('lost+found', 'System Volume Information'),
}
_NUM_NAMED = 3
_BYTE_ORDER_MARK = '\ufeff'


class ImageFolder:
    """The images below a folder, in the order of their sorted paths.

    That is the order of ``sorted(list of all)``, as mmpretrain has it, but
    only one folder's names at a time are in memory. Links are followed; one
    that leads nowhere is passed over.

    Hidden folders and those of :data:`SYSTEM_FOLDERS` are passed over, too:
    what lies there are thumbnails, older states, deleted photographs and
    records of the disk. So is a link that leads back to a folder in which it
    lies. At the end of each iteration, one line of the log says how many
    there are of each.

    Args:
        folder (str): Where to begin. It may be hidden itself.
        extensions (Sequence[str]): Endings of the wanted names, lower case.
        backend (BaseStorageBackend): Where the folder is.
    """

    def __init__(
        self,
        folder: str,
        extensions: Sequence[str],
        backend: BaseStorageBackend,
    ) -> None:
        self.folder = folder
        self.endings = tuple(extensions)
        self.backend = backend
        self.is_local = isinstance(backend, LocalBackend)

    def __iter__(self) -> Iterator[str]:
        """Walk through the tree.

        Yields:
            str: Path of an image, relative to the folder.
        """
        hidden, loops = _PassedOver('folder'), _PassedOver('link')
        yield from self._walk('', (), hidden, loops)
        if hidden.number:
            print_log(
                f"Passed over below '{self.folder}': {hidden}, hidden or a "
                "system's own (thumbnails, trash). To use such a folder, name "
                'it in data_prefix.',
                logger='current',
            )
        if loops.number:
            print_log(
                f"Passed over below '{self.folder}': {loops}, leading back to "
                'where it lies.',
                logger='current',
                level=logging.WARNING,
            )

    def _walk(
        self,
        below: str,
        above: tuple[str, ...],
        hidden: '_PassedOver',
        loops: '_PassedOver',
    ) -> Iterator[str]:
        """Images of a folder; ``above`` are the real paths of those above."""
        folder = self.folder
        if below:
            folder = self.backend.join_path(folder, below)
        if self.is_local:
            real = _real_path(folder, above)
            if real in above:
                loops.add(below)
                return
            above = (*above, real)
            files, folders = _entries(folder, below, loops)
        else:
            files = self.backend.list_dir_or_file(folder, list_dir=False)
            folders = self.backend.list_dir_or_file(folder, list_file=False)
        files = [f for f in files if f.lower().endswith(self.endings)]
        # With its slash, a folder sorts among files as the paths below it do.
        for name in sorted([*files, *(f'{folder}/' for folder in folders)]):
            if not name.endswith('/'):
                yield below + name
            elif name.startswith('.') or name[:-1] in SYSTEM_FOLDERS:
                hidden.add(below + name)
            else:
                yield from self._walk(below + name, above, hidden, loops)


def _real_path(folder: str, above: tuple[str, ...]) -> str:
    """Not by inodes, which not every file system has; few look-ups."""
    below = folder.rstrip('/')
    if above and not os.path.islink(below):
        return os.path.join(above[-1], os.path.basename(below))
    return os.path.realpath(folder)


class _PassedOver:
    """Counts what is passed over, and names the first few."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self.number = 0
        self.names: list[str] = []

    def add(self, path: str) -> None:
        self.number += 1
        if self.number <= _NUM_NAMED:
            self.names.append(path)

    def __str__(self) -> str:
        plural = '' if self.number == 1 else 's'
        more = ', ...' if self.number > len(self.names) else ''
        names = ', '.join(self.names)
        return f'{self.number} {self.noun}{plural} ({names}{more})'


def _entries(
    folder: str, below: str, loops: _PassedOver
) -> tuple[list[str], list[str]]:
    """Files and folders of a folder, no hidden files.

    mmengine's ``LocalBackend`` raises the system's error for a link that
    leads to itself, and reads the folder twice.
    """
    files, folders = [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.is_file() and not entry.name.startswith('.'):
                    files.append(entry.name)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                loops.add(below + entry.name)
    return files, folders


def lines_of(list_file: str) -> Iterator[str]:
    """Read a list file, line by line, without its blank lines.

    A byte order mark, as editors of Windows write it, is no part of the first
    name; nor of a later one, where such lists were put one behind another.

    Args:
        list_file (str): The file, on any backend of mmengine's: UTF-8, or
            UTF-16 with its mark, which PowerShell's ``>`` writes.

    Yields:
        str: A line without the space around it.
    """
    with get_local_path(list_file) as path:
        with open(path, 'rb') as file:
            mark = file.read(2)
        is_utf_16 = mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        encoding = 'utf-16' if is_utf_16 else 'utf-8'
        # Of UTF-16 no byte can be kept as it is; a name is then missing.
        errors = 'replace' if is_utf_16 else 'surrogateescape'
        with open(path, encoding=encoding, errors=errors) as file:
            for line in file:
                if name := line.strip().lstrip(_BYTE_ORDER_MARK).strip():
                    yield name
