"""Large images, kept at a half, a quarter or an eighth of their size."""

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from mmengine.logging import print_log

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError

from .pictures import ValueMapping
from .shrinking import shrink
from .transforms.encoded_image import REDUCTIONS

# Not that of an image: these files must not be found by who looks for images.
SUFFIX = '.shrunk'
_END = b'\xff\xd9'  # of a JPEG

# What is left to others who write to the disk, to checkpoints perhaps: a
# tenth of it, but no more than so many bytes.
_SPARED_SHARE, _SPARED_BYTES = 0.1, 50e9


class ShrunkImages:
    """A folder that keeps large images at less than their size.

    A JPEG has to be read to its end at whatever scale it is decoded, and
    other kinds have no scale at all: 12 megapixels cost ten times as much as
    a photograph of COCO, epoch after epoch. Here they cost that once.

    An image is reduced by 2, 4 or 8 each way, as far as its shorter side
    keeps ``min_size`` pixels, and kept as a JPEG of quality 95, upright. The
    first time it is read from these bytes too: its views are the same
    whether or not it was there, and whether or not it could be written. A
    file that changes is shrunk again. Processes share the folder.

    Where the folder cannot be written, or has no room (:func:`room_in`), each
    process says so once and keeps no more.

    Args:
        folder (str | os.PathLike): Made if it is missing.
        min_size (int): Pixels that the shorter side keeps; images with less
            than twice as many are left alone. Defaults to 1024.
        mapping (ValueMapping, optional): How 8-bit colour is made of them.
            Defaults to None: as it is by default.

    Raises:
        UserValueError: If ``min_size`` is not positive.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        min_size: int = 1024,
        mapping: ValueMapping | None = None,
    ) -> None:
        if min_size < 1:
            raise UserValueError(
                f'LoadImage: shrunk_size={min_size} must be at least 1'
            )
        self.folder = Path(folder)
        self.min_size = min_size
        self.mapping = mapping or ValueMapping()
        self._keeps = True

    def read(
        self, path: str, get_content: Callable[[], bytes]
    ) -> tuple[bytes, int]:
        """The file of an image, shrunk if it is large.

        Args:
            path (str): Path or key of the image.
            get_content (Callable[[], bytes]): Reads the file itself.

        Returns:
            tuple[bytes, int]: The file, and by how much it is reduced: 1 as
            it is, 2, 4 or 8 a JPEG.

        Raises:
            BrokenImageError: If it is large and does not decode.
        """
        kept = self._kept_file(path)
        if found := _read_kept(kept):
            return found
        content = get_content()
        shrunk, reduction = shrink(
            content, self.min_size, mapping=self.mapping
        )
        if reduction > 1:
            self._keep(kept, shrunk, reduction)
        return shrunk, reduction

    def _kept_file(self, path: str) -> Path:
        state = [path, str(self.min_size), repr(self.mapping)]
        with contextlib.suppress(OSError):  # a key of a database
            status = os.stat(path)
            state += [str(status.st_size), str(status.st_mtime_ns)]
        name = hashlib.sha256(
            '\n'.join(state).encode(errors='surrogateescape')
        ).hexdigest()[:32]
        return self.folder / name[:2] / f'{name[2:]}{SUFFIX}'

    def _keep(self, file: Path, content: bytes, reduction: int) -> None:
        """Write the whole file or none, unless there is no room."""
        if not self._keeps:
            return
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if room_in(file.parent) < len(content):
                raise OSError('what is free on its disk is left to others')
            with atomic_write(file, durable=False) as kept:
                kept.write(content + bytes([reduction]))
        except OSError as error:
            self._keeps = False
            print_log(
                f'Large images are shrunk but not kept in {self.folder}: '
                f'{error}. This process keeps no more; the run goes on, '
                'slower.',
                logger='current',
                level=logging.WARNING,
            )


def room_in(folder: str | os.PathLike) -> int:
    """Bytes that shrunk images may still take.

    Args:
        folder (str | os.PathLike): Need not exist yet.

    Returns:
        int: What is free on its disk, less a tenth of it or 50 GB, whichever
        is less; a quota is not seen. 0 if the folder cannot be made or
        written.
    """
    folder = Path(folder)
    existing = next(
        each for each in (folder, *folder.absolute().parents) if each.exists()
    )
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return 0
    disk = shutil.disk_usage(existing)
    spared = min(_SPARED_SHARE * disk.total, _SPARED_BYTES)
    return max(int(disk.free - spared), 0)


def _read_kept(file: Path) -> tuple[bytes, int] | None:
    """What is kept, if it is whole: behind the JPEG's end the reduction."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    if content[-3:-1] != _END or content[-1] not in REDUCTIONS:
        return None
    return content[:-1], content[-1]
