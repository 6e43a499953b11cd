"""The images of a folder tree or of a list file, one by one."""

from collections.abc import Iterator, Sequence

from mmengine.fileio import get_local_path
from mmengine.fileio.backends import BaseStorageBackend


def images_below(
    folder: str,
    extensions: Sequence[str],
    backend: BaseStorageBackend,
) -> Iterator[str]:
    """Walk through a folder tree in the order of its sorted paths.

    That is the order of ``sorted(list of all)``, as mmpretrain has it, but
    only one folder's names at a time are in memory. Hidden files and links
    that lead nowhere are passed over.

    Args:
        folder (str): Where to begin.
        extensions (Sequence[str]): Endings of the wanted names, lower case.
        backend (BaseStorageBackend): Where the folder is.

    Yields:
        str: Path of an image, relative to the folder.
    """
    endings = tuple(extensions)
    files = [
        name
        for name in backend.list_dir_or_file(folder, list_dir=False)
        if name.lower().endswith(endings)
    ]
    folders = backend.list_dir_or_file(folder, list_file=False)
    # With its slash, a folder sorts among files as the paths below it do.
    for name in sorted([*files, *(name + '/' for name in folders)]):
        if name.endswith('/'):
            below = backend.join_path(folder, name)
            for path in images_below(below, extensions, backend):
                yield name + path
        else:
            yield name


def lines_of(list_file: str) -> Iterator[str]:
    """Read a list file, line by line, without its blank lines.

    Args:
        list_file (str): The file, on any backend of mmengine's.

    Yields:
        str: A line without the space around it.
    """
    with (
        get_local_path(list_file) as path,
        open(path, encoding='utf-8', errors='surrogateescape') as file,
    ):
        for line in file:
            if line.strip():
                yield line.strip()
