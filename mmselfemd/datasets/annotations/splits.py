"""The same photograph in training and in validation or test."""

import filecmp
from collections.abc import Iterable

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
    by_key: dict[tuple, list[str]] = {}
    for keys in train:
        for path, key in keys.values():
            by_key.setdefault(key, []).append(path)
    for table, keys in others:
        places = []
        for row, (path, key) in keys.items():
            same = next(
                (p for p in by_key.get(key, ()) if _are_equal(p, path)), None
            )
            if same is not None:
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


def _are_equal(one: str, other: str) -> bool:
    return filecmp.cmp(one, other, shallow=False)
