"""The images of folders, and the keys of a database that stand for them."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from mmselfemd.errors import UserFileNotFoundError, UserValueError

from .path_list import PathList
from .unlabelled_dataset import UnlabelledDataset

_LONGEST_KEY = 511  # LMDB's limit


def listed_images(
    sources: Sequence[str], list_file: str | None
) -> tuple[PathList, PathList]:
    """List images, and the keys that they are stored under.

    Args:
        sources (Sequence[str]): Folders of images.
        list_file (str, optional): Of one source, those images alone.

    Returns:
        tuple[PathList, PathList]: Paths and keys. An image's key is its path
        below its source; of several sources, the source's own name goes
        before it. Letters beyond ASCII, and %, are quoted as in a URL.

    Raises:
        UserError: If a source is missing or empty, or several have the same
            name, or a key is too long for LMDB.
    """
    roots = [os.path.join(os.path.abspath(each), '') for each in sources]
    for root in roots:
        if not os.path.isdir(root):
            raise UserFileNotFoundError(f"There is no folder '{root}'")
    names = [Path(root).name if len(roots) > 1 else '' for root in roots]
    if len(set(names)) < len(names):
        raise UserValueError(
            f'Several sources are called alike: {", ".join(names)}. '
            'Their names go before those of their images; rename one'
        )
    if list_file is not None and len(roots) > 1:
        raise UserValueError('A list file goes with one source, not more')
    paths = UnlabelledDataset(
        data_prefix=roots, ann_file=list_file or ''
    ).data_list

    def key_of(path: str) -> str:
        for root, name in zip(roots, names, strict=True):
            if path.startswith(root):
                return _key(os.path.join(name, path[len(root) :]))
        return _key(path)

    return paths, PathList(map(key_of, paths))


def _key(path: str) -> str:
    """A path in ASCII, as mmengine's backend has to have it."""
    plain = path.isascii() and path.isprintable() and path == path.strip()
    if not plain or '%' in path:  # which quoting puts in
        path = quote(path.encode('utf-8', 'surrogateescape'))
    if len(path) > _LONGEST_KEY:
        raise UserValueError(
            f'{path}: more than {_LONGEST_KEY} bytes, which LMDB does not '
            'take as a key. Give a folder further down as the source'
        )
    return path


def num_distinct(keys: PathList) -> int:
    """Count different keys: a list file may name an image more than once.

    Args:
        keys (PathList): Keys.

    Returns:
        int: Their number, by hashes of 64 bits.
    """
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    return len(np.unique(hashes))
