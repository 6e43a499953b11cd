"""Whose file it is, by the names and shapes of its tensors."""

from collections import Counter
from typing import NamedTuple

import torch
from torch import Tensor

from mmselfemd.errors import UserValueError

from .loading import state_dict_of
from .lookalikes import what_it_is
from .sources import PROJECTS, SOURCES, Path, Source

__all__ = ['Recognised', 'recognise']

# Where VISSL has them, and no deeper.
_DEEPEST = 4


class Recognised(NamedTuple):
    """What :func:`recognise` found.

    Attributes:
        row (Source): The kind of file.
        weights (dict[str, Tensor]): The tensors where the backbone lies, by
            their names there.
        names (dict[str, str]): Their names of what may be the backbone, and
            ours.
        others (dict[str, int]): The other places in the file that hold
            tensors, and how many: the student beside a teacher, for one.
    """

    row: Source
    weights: dict[str, Tensor]
    names: dict[str, str]
    others: dict[str, int]


def recognise(
    loaded: dict, source: str, project: str | None = None
) -> Recognised:
    """Find the row of :data:`~mmselfemd.zoo.sources.SOURCES` of a file.

    Args:
        loaded (dict): What was read from it.
        source (str): Where it came from, for the error.
        project (str, optional): One of
            :data:`~mmselfemd.zoo.sources.PROJECTS`, whose rows alone are
            looked at. Defaults to None: all.

    Returns:
        Recognised: The row, and the tensors.

    Raises:
        UserValueError: If it is none of these, or one whose network is
            another than its names and shapes say.
    """
    places = _places(loaded)
    for row in SOURCES:
        if project not in (None, row.project):
            continue
        for path in row.under:
            names = row.ours(places.get(path, ()))
            if not names:
                continue
            if row.refused:
                raise UserValueError(f'{source} is {row.title}: {row.refused}')
            weights = state_dict_of(places[path], source)
            _check_kind(weights, names, row, source)
            others = {
                '.'.join(other): len(tensors)
                for other, tensors in places.items()
                if other != path
            }
            return Recognised(row, weights, names, others)
    raise _unknown(places, source, project)


def _places(value: object) -> dict[Path, dict[str, Tensor]]:
    """The dictionaries of named tensors in a file, and where they are."""
    found, seen = {}, set()
    level = [((), value)]
    for _ in range(_DEEPEST + 1):
        deeper = []
        for path, inner in level:
            if not isinstance(inner, dict) or id(inner) in seen:
                continue
            seen.add(id(inner))
            tensors = {
                name: tensor
                for name, tensor in inner.items()
                if isinstance(name, str) and torch.is_tensor(tensor)
            }
            if tensors:
                found[path] = tensors
            deeper += [
                ((*path, key), item)
                for key, item in inner.items()
                if isinstance(key, str) and key.isprintable()
            ]
        level = deeper
    return found


def _check_kind(
    weights: dict[str, Tensor],
    names: dict[str, str],
    row: Source,
    source: str,
) -> None:
    """Raise if it is another network than its names say."""
    ours = {new: weights[old] for old, new in names.items()}
    if len(ours) < len(names):
        raise UserValueError(
            f'{source}, {row.title}, has several tensors for the same place.'
        )
    if words := what_it_is(ours):
        raise UserValueError(
            f'{source}, {row.title}, is refused: it is {words}.'
        )


def _unknown(
    places: dict[Path, dict], source: str, project: str | None
) -> UserValueError:
    """Say what a file holds that no row fits."""
    for weights in places.values() or [{}]:
        state_dict_of(weights, source)  # raises if it is none
        if words := what_it_is(weights):
            return UserValueError(f'{source} is refused: it is {words}.')
    found = Counter(
        '.'.join(name.split('.')[:2])
        for weights in places.values()
        for name in weights
    )
    shown = ', '.join(f'{top} ({n})' for top, n in found.most_common(8))
    where = 'files of ' + (
        f'{project}; without --from it is looked for in all'
        if project
        else ', '.join(PROJECTS)
    )
    return UserValueError(
        f'{source} holds no backbone in names that are known: found {shown}. '
        f'Known are {where}: docs/weights.md.'
    )
