"""The same photograph in training and in validation or test."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from .findings import Findings
from .image_files import Keys
from .table import CocoTable


def check_splits(
    train: Iterable[Keys], others: Iterable[tuple[CocoTable, Keys]]
) -> Findings:
    """Look for files of validation and test whose content training has.

    Args:
        train (Iterable[Keys]): Image files of the training sets.
        others (Iterable[tuple[CocoTable, Keys]]): Each validation or test
            set with its image files.

    Returns:
        Findings: ``image-in-train``.
    """
    findings = Findings()
    # Bitmaps of one size with dark borders all begin alike: each file is
    # read once, and not compared with each.
    digest = lru_cache(maxsize=None)(digest_of)
    by_key: dict[tuple, list[str]] = {}
    for keys in train:
        for path, key in keys.values():
            by_key.setdefault(key, []).append(path)

    def same_as(path: str, key: tuple) -> str | None:
        wanted = digest(path)
        return next((p for p in by_key[key] if digest(p) == wanted), None)

    for table, keys in others:
        places = []
        for row, (path, key) in keys.items():
            if key in by_key and (same := same_as(path, key)):
                places.append(f'image {table.image_name(row)}: {same}')
        findings.add('image-in-train', table.file, places)
    return findings


def check_names(
    train: Iterable[CocoTable], others: Iterable[CocoTable]
) -> Findings:
    """Look for names that training has, where files cannot be compared.

    Args:
        train (Iterable[CocoTable]): The training sets.
        others (Iterable[CocoTable]): Validation and test sets.

    Returns:
        Findings: ``name-in-train``.
    """
    findings = Findings()
    names = {name for table in train for name in table.file_names if name}
    for table in others:
        findings.add(
            'name-in-train',
            table.file,
            [
                f'image {table.image_name(row)}'
                for row, name in enumerate(table.file_names)
                if name in names
            ],
        )
    return findings


def digest_of(path: str) -> bytes:
    """What files of the same content, and no others, have in common.

    Args:
        path (str): The file.

    Returns:
        bytes: Its SHA-256.
    """
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.digest()
