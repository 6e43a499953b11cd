"""The images of folders in one LMDB database, for mmengine's backend."""

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from mmengine.fileio import LmdbBackend
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from mmselfemd.atomic_file import INCOMPLETE, atomic_write
from mmselfemd.errors import (
    UserError,
    UserFileExistsError,
    UserValueError,
)

from .image_keys import listed_images, num_distinct
from .path_list import PathList
from .pictures import open_picture
from .pictures.kinds import is_plain
from .shrinking import shrink
from .transforms.encoded_image import (
    BrokenImageError,
    decode_image,
    jpeg_size,
)

LIST_NAME, BROKEN_NAME = 'images.txt', 'broken.txt'
_SETTINGS_NAME = 'settings.json'
_FIRST_MAP_SIZE = 1 << 30  # bytes; doubled when it is full
_BATCH = 16  # images written at once, and lost by a kill


def images_to_lmdb(
    sources: Sequence[str],
    out: str | os.PathLike,
    max_size: int | None = None,
    list_file: str | None = None,
    num_workers: int = 0,
) -> tuple[int, int]:
    """Write the images of folders into one database, and read it again.

    An image's key is its path below its source; of several sources, the
    source's own name goes before it. ``images.txt`` in the database's folder
    lists the keys: it is the ``ann_file`` of :class:`UnlabelledDataset`. It is
    written last, when every image in the database has been read again and
    decoded. What does not decode is left out, and ``broken.txt`` says why.

    Stopped at any moment, the same call goes on: what is stored is not read
    again. A stop during the check begins the check again.

    Args:
        sources (Sequence[str]): Folders of images.
        out (str | os.PathLike): Folder of the database.
        max_size (int, optional): Images with a shorter side above this,
            in pixels, are shrunk to it and stored as JPEG of quality 95,
            upright and without metadata. Defaults to None: the files as they
            are.
        list_file (str, optional): Take those images alone, one path a line,
            relative to the source, of which there is one then. Defaults to
            None.
        num_workers (int): Processes that read, shrink and check.
            Defaults to 0: this one.

    Returns:
        tuple[int, int]: Images in the database, and broken ones.

    Raises:
        UserError: If a source is missing or empty, if ``out`` was made in
            another way, or if the database is not what it has to be.
    """
    if max_size is not None and max_size < 1:
        raise UserValueError(f'--max-size {max_size}: expected at least 1')
    lmdb = _lmdb()
    out = Path(out)
    paths, keys = listed_images(sources, list_file)
    _check_settings(out, sources, max_size, list_file)
    (out / LIST_NAME).unlink(missing_ok=True)
    with lmdb.open(os.fspath(out), map_size=_FIRST_MAP_SIZE) as database:
        files = _Files(paths, keys, _absent(database, keys), max_size)
        broken = _store(database, files, num_workers)
    broken |= _check(out, keys, broken, num_workers)
    with lmdb.open(os.fspath(out), map_size=_FIRST_MAP_SIZE) as database:
        with database.begin(write=True) as transaction:
            for key in broken:
                transaction.delete(key.encode())
        num_stored = database.stat()['entries']
    expected = num_distinct(keys) - len(broken)
    if num_stored != expected:
        raise UserError(
            f"'{out}' holds {num_stored} images, but there should be "
            f'{expected}: were some taken away from '
            f'{", ".join(sources)} meanwhile? Remove it and start again'
        )
    reasons = (f'{key}\t{reason}' for key, reason in broken.items())
    _write_lines(out / BROKEN_NAME, reasons)
    _write_lines(out / LIST_NAME, (key for key in keys if key not in broken))
    return num_stored, len(broken)


class _Files(Dataset):
    """What is to be stored: (key, file, '') or (key, None, reason)."""

    def __init__(
        self,
        paths: PathList,
        keys: PathList,
        numbers: Sequence[int],
        max_size: int | None,
    ) -> None:
        self.paths, self.keys = paths, keys
        self.numbers = numbers
        self.max_size = max_size

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[str, bytes | None, str]:
        number = self.numbers[index]
        key = self.keys[number]
        try:
            content = Path(self.paths[number]).read_bytes()
            if not content:
                raise BrokenImageError('it is empty')
            if self.max_size is not None:
                content, _ = shrink(content, self.max_size, exactly=True)
        except (OSError, BrokenImageError) as error:
            return key, None, _line(error)
        return key, content, ''


class _Entries(Dataset):
    """What is stored: (key, '') or (key, why it does not decode)."""

    def __init__(self, folder: Path, keys: PathList) -> None:
        self.backend = LmdbBackend(folder)
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> tuple[str, str]:
        key = self.keys[index]
        try:
            content = self.backend.get(key)
            if content is None:
                raise BrokenImageError('it was not stored')
            jpeg_size(content)  # refuses a header that claims too much
            if is_plain(content):
                decode_image(content)
            else:
                open_picture(content)
        except BrokenImageError as error:
            return key, _line(error)
        return key, ''


def _lmdb() -> ModuleType:
    try:
        import lmdb
    except ImportError as error:
        raise UserError(
            'The Python package lmdb is missing: pip install lmdb'
        ) from error
    return lmdb


def _check_settings(
    out: Path,
    sources: Sequence[str],
    max_size: int | None,
    list_file: str | None,
) -> None:
    """Write how the database is made; raise if it was made in another way."""
    settings = dict(
        sources=[os.path.abspath(each) for each in sources],
        max_size=max_size,
        list_file=list_file and os.path.abspath(list_file),
    )
    path = out / _SETTINGS_NAME
    if path.is_file():
        if json.loads(path.read_text()) != settings:
            raise UserFileExistsError(
                f"'{out}' was made from other sources or with other options "
                f'(see {path}). Remove it, or choose another folder'
            )
    elif out.is_dir() and any(
        path.suffix != INCOMPLETE for path in out.iterdir()
    ):
        raise UserFileExistsError(
            f"'{out}' holds other files. Choose another folder"
        )
    else:
        out.mkdir(parents=True, exist_ok=True)
        _write_lines(path, [json.dumps(settings, indent=2)])


def _absent(database, keys: PathList) -> Sequence[int]:
    """Numbers of the keys that are not in the database."""
    with database.begin() as transaction:
        cursor = transaction.cursor()
        return array(
            'q',
            (
                number
                for number, key in enumerate(keys)
                if not cursor.set_key(key.encode())
            ),
        )


def _store(database, files: _Files, num_workers: int) -> dict[str, str]:
    """Store what is not there yet; what could not be read, and why."""
    broken = {}
    for batch in _batches(files, num_workers, 'storing'):
        broken |= {key: reason for key, _, reason in batch if reason}
        _put(database, [each[:2] for each in batch if not each[2]])
    return broken


def _put(database, items: Sequence[tuple[str, bytes]]) -> None:
    """All of them or, if the process is killed, none."""
    lmdb = _lmdb()
    while True:
        try:
            with database.begin(write=True) as transaction:
                for key, content in items:
                    transaction.put(key.encode(), content)
            return
        except lmdb.MapFullError:
            database.set_mapsize(2 * database.info()['map_size'])
        except lmdb.DiskError as error:
            raise UserError(
                f"'{database.path()}': {error}. What is stored stays; make "
                'room, and run the same command again'
            ) from error


def _check(
    out: Path, keys: PathList, broken: dict[str, str], num_workers: int
) -> dict[str, str]:
    """Decode all that should be there; what does not decode, and why."""
    stored = PathList(key for key in keys if key not in broken)
    found = {}
    for batch in _batches(_Entries(out, stored), num_workers, 'checking'):
        found |= {key: reason for key, reason in batch if reason}
    return found


def _batches(dataset: Dataset, num_workers: int, what: str) -> Iterator[list]:
    if len(dataset):
        loader = DataLoader(
            dataset, _BATCH, num_workers=num_workers, collate_fn=list
        )
        yield from track(loader, description=what)


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())


def _write_lines(path: Path, lines: Sequence[str] | Iterator[str]) -> None:
    with atomic_write(path) as file:
        file.writelines(
            f'{line}\n'.encode(errors='surrogateescape') for line in lines
        )
