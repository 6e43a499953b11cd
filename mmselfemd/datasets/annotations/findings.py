"""What a check found, in words and as records."""

import reprlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmselfemd.errors import UserValueError

from .kind import MENDED, SAID, STOP, Kind
from .kinds import KINDS

_NUM_SHOWN = 3
_TITLES = {STOP: 'Wrong', MENDED: 'Mended in memory', SAID: 'To know'}
_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80


def shown(value: Any) -> str:
    """Show what stands in a file, cut to the length of a line.

    Args:
        value (Any): A value of any size and depth.

    Returns:
        str: Its ``repr``, or the beginnings of that; of a number of numpy
        that of Python's own, since numpy 2 adds its type.
    """
    return _short.repr(
        value.item() if isinstance(value, np.generic) else value
    )


class Finding(NamedTuple):
    """A kind of fault in a file.

    Attributes:
        kind (Kind): What is wrong.
        file (str): The annotation file, or the setting.
        places (tuple[str, ...]): Where: an image, annotation or category
            with what is there.
    """

    kind: Kind
    file: str
    places: tuple[str, ...]

    def __str__(self) -> str:
        shown = '; '.join(self.places[:_NUM_SHOWN])
        if (more := len(self.places) - _NUM_SHOWN) > 0:
            shown += f'; and {more} more'
        return (
            f'{self.kind.name} ({len(self.places)}): {self.kind.what}: '
            f'{shown}. '
            f'{"Done" if self.kind.level == MENDED else "To do"}: '
            f'{self.kind.advice}.'
        )


class Findings:
    """Collects what checks find."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def add(self, kind: str, file: str, places: Sequence[str]) -> None:
        """Add what was found; nothing if there are no places.

        Args:
            kind (str): Name of the kind, see :data:`KINDS`.
            file (str): The annotation file, or the setting.
            places (Sequence[str]): Where, each with what is there.
        """
        if places:
            self._findings.append(Finding(KINDS[kind], file, tuple(places)))

    @classmethod
    def of(
        cls, file: str, found: Iterable[tuple[str | None, str]]
    ) -> 'Findings':
        """Collect what was found one by one, a finding of each kind.

        Args:
            file (str): The annotation file.
            found (Iterable[tuple[str | None, str]]): Kind and place of each;
                passed over where the kind is None.

        Returns:
            Findings: Kinds in the order in which they came first.
        """
        places: dict[str, list[str]] = {}
        for kind, place in found:
            if kind:
                places.setdefault(kind, []).append(place)
        findings = cls()
        for kind, each in places.items():
            findings.add(kind, file, each)
        return findings

    def extend(self, findings: 'Findings') -> None:
        """Add all that another check found.

        Args:
            findings (Findings): What it found.
        """
        self._findings += findings

    def of_level(self, level: str) -> list[Finding]:
        """What is of a level.

        Args:
            level (str): ``stop``, ``mended`` or ``said``.

        Returns:
            list[Finding]: In the order in which they were found.
        """
        return [each for each in self if each.kind.level == level]

    @property
    def stops(self) -> list[Finding]:
        """What makes the file unusable."""
        return self.of_level(STOP)

    def text(self, levels: Sequence[str] = (STOP, MENDED, SAID)) -> str:
        """All in words, the first three places of each.

        Args:
            levels (Sequence[str]): Which. Defaults to all, worst first.

        Returns:
            str: Lines; empty if there is nothing.
        """
        lines = []
        for level in levels:
            found = self.of_level(level)
            for file in dict.fromkeys(each.file for each in found):
                lines.append(f'{_TITLES[level]}: {file}')
                lines += [f'- {each}' for each in found if each.file == file]
        return '\n'.join(lines)

    def records(self) -> list[dict]:
        """All with all places, for a JSON file.

        Returns:
            list[dict]: ``kind``, ``level``, ``file``, ``what``, ``advice``,
            ``count`` and ``places`` of each.
        """
        return [
            dict(
                kind=found.kind.name,
                level=found.kind.level,
                file=found.file,
                what=found.kind.what,
                advice=found.kind.advice,
                count=len(found.places),
                places=list(found.places),
            )
            for found in self
        ]

    def without(self, kinds: Sequence[str]) -> 'Findings':
        """All but some kinds.

        Args:
            kinds (Sequence[str]): Names of kinds.

        Returns:
            Findings: The others.
        """
        others = Findings()
        others._findings = [f for f in self if f.kind.name not in kinds]
        return others

    def raise_stops(self, hint: str = '') -> None:
        """Raise if something makes the file unusable.

        Args:
            hint (str): What to say in the end. Defaults to ''.

        Raises:
            UserValueError: With all of it.
        """
        if self.stops:
            text = self.text([STOP])
            raise UserValueError(
                f'the annotations cannot be used as they are.\n{text}'
                + (f'\n{hint}' if hint else '')
            )
