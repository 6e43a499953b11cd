"""A kind of fault, and how grave it is."""

from typing import NamedTuple

#: The run ends before its first step: its result would be wrong.
STOP = 'stop'
#: Put right in memory; the file stays as it is.
MENDED = 'mended'
#: Told, and left as it is.
SAID = 'said'


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        name (str): What it is called in the list that a check writes.
        level (str): ``stop``, ``mended`` or ``said``.
        what (str): What is wrong.
        advice (str): What to do, or what is done.
    """

    name: str
    level: str
    what: str
    advice: str
