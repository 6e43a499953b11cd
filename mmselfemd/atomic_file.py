"""Files that appear under their name whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

#: What file systems say that have no fsync of a folder.
_NOT_FOR_FOLDERS = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)

#: How the name ends of a file that is still being written.
INCOMPLETE = '.incomplete'


@contextmanager
def atomic_write(
    path: str | os.PathLike, durable: bool = True
) -> Iterator[BinaryIO]:
    """Open a file that takes its name when it is complete.

    The bytes go to a file beside it, of the same name and an ending of its
    own, and the file is renamed. A process killed on the way leaves what was
    under the name before. Several processes may write the same file: one of
    them is the last.

    Args:
        path (str or os.PathLike): The file's final path. Its folder is made
            if need be.
        durable (bool): Whether the bytes are on the disk before the name is,
            and both before this returns: after a power cut the file is whole
            too. It takes a while. Defaults to True.

    Yields:
        BinaryIO: The open file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    incomplete = path.with_name(f'{path.name}.{uuid4().hex}{INCOMPLETE}')
    try:
        with open(incomplete, 'wb') as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(incomplete, path)
    finally:
        incomplete.unlink(missing_ok=True)
    if durable and os.name == 'posix':  # the rename has to survive as well
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:  # the file is there; some disks have no more
            if error.errno not in _NOT_FOR_FOLDERS:
                raise
        finally:
            os.close(folder)
