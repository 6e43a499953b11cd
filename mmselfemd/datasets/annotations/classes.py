"""The classes of a data set beside the categories of its file."""

import difflib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmselfemd.plurals import counted

from .findings import Findings, shown
from .table import CocoTable

#: Classes with fewer boxes are rare.
RARE = 20

_NUM_GUESSED = 3  # names that are shown; to guess takes time


def are_names(classes: Any) -> bool:
    """Whether it is a list of texts.

    Args:
        classes (Any): What a config has for classes.

    Returns:
        bool: True for a list or tuple of texts.
    """
    return isinstance(classes, list | tuple) and all(
        isinstance(name, str) for name in classes
    )


def check_classes(
    table: CocoTable,
    classes: Sequence[str] | str,
    left_out: Sequence[str] = (),
) -> Findings:
    """Compare names of classes with those of the file's categories.

    Args:
        table (CocoTable): The file.
        classes (Sequence[str] | str): The names, in the order of labels.
        left_out (Sequence[str]): Categories whose boxes are not wanted.
            Defaults to ().

    Returns:
        Findings: What does not fit.
    """
    findings = Findings()
    if not are_names(classes):
        findings.add('classes-string', table.file, [shown(classes)])
        return findings
    classes = list(classes)
    twice = [repr(n) for n, count in Counter(classes).items() if count > 1]
    findings.add('class-twice', table.file, twice)
    findings.add('class-unknown', table.file, _unknown(table, classes))
    unnamed = _unnamed(table, {*classes, *left_out})
    findings.add('category-unnamed', table.file, unnamed)
    named = set(classes)
    in_file = [name for name in table.category_names if name in named]
    if not findings.stops and in_file != classes:
        findings.add(
            'class-order',
            table.file,
            [f'classes {_short(classes)}, in the file {_short(in_file)}'],
        )
    return findings


def _unknown(table: CocoTable, classes: Sequence[str]) -> list[str]:
    names = table.category_names
    known = set(names)
    unknown = [name for name in classes if name not in known]
    return [
        f'{name!r}{_nearest(name, names) if k < _NUM_GUESSED else ""}'
        for k, name in enumerate(unknown)
    ]


def _unnamed(table: CocoTable, wanted: set[str]) -> list[str]:
    """Categories with boxes; Roboflow puts one without any over all."""
    names, ids = table.category_names, table.category_ids
    counts = np.bincount(table.category_index, minlength=len(names))
    return [
        f'{name!r} (id {i}, {counted(count, "box")})'
        for name, i, count in zip(names, ids, counts, strict=True)
        if name not in wanted and count
    ]


def check_rare_classes(table: CocoTable, classes: Sequence[str]) -> Findings:
    """Look for classes with few boxes.

    Args:
        table (CocoTable): The file.
        classes (Sequence[str]): The names.

    Returns:
        Findings: ``class-rare``.
    """
    findings = Findings()
    counts = np.bincount(
        table.category_index[table.usable], minlength=len(table.category_ids)
    )
    by_name = dict(zip(table.category_names, counts.tolist(), strict=False))
    findings.add(
        'class-rare',
        table.file,
        [
            f'{name!r}: {by_name[name]}'
            for name in classes
            if by_name.get(name, RARE) < RARE
        ],
    )
    return findings


def check_num_classes(
    num_classes: dict[str, int], classes: Sequence[str], setting: str
) -> Findings:
    """Compare the heads of a model with the number of classes.

    Args:
        num_classes (dict[str, int]): Of each head, by the name of the
            setting below the model.
        classes (Sequence[str]): The classes.
        setting (str): Where the classes are from.

    Returns:
        Findings: ``num-classes``.
    """
    findings = Findings()
    findings.add(
        'num-classes',
        setting,
        [
            f'model.{name} is {number}, for '
            f'{counted(len(classes), "class")} ({_short(classes)})'
            for name, number in num_classes.items()
            if number != len(classes)
        ],
    )
    return findings


def _nearest(name: str, names: Sequence[str]) -> str:
    by_small = {each.casefold().strip(): each for each in names}
    near = difflib.get_close_matches(name.casefold().strip(), by_small, n=1)
    if near:
        return f' (there is {by_small[near[0]]!r})'
    return f' (there are {_short(names)})'


def _short(names: Sequence[str], count: int = 6) -> str:
    shown = ', '.join(map(repr, names[:count]))
    return f'{shown}, ...' if len(names) > count else shown or 'none'
