"""Millions of paths in two arrays."""

from array import array
from collections.abc import Iterable, Sequence

import numpy as np

_ELSEWHERE = '\0'  # in no path; marks those that are not below the root


class PathList(Sequence[str]):
    """A list of paths that processes share, and that is never copied.

    A list of Python's grows with every worker that reads it: reading an item
    counts a reference in the item's own memory, and a page that is written to
    is no longer shared. mmengine's list (a pickled dict each) does not grow,
    but is larger, and while it is made all dicts are there. Here the paths
    lie one behind another as UTF-8, without their common root, and an array
    says where each ends. They are taken from an iterator one by one.

    Args:
        paths (Iterable[str]): The paths, in order.
        root (str): What most of them begin with, kept once. Defaults to ''.
    """

    def __init__(self, paths: Iterable[str], root: str = '') -> None:
        self.root = root
        text, ends = bytearray(), array('q')
        for path in paths:
            if path.startswith(root):
                text += _encode(path[len(root) :])
            else:
                text += _encode(_ELSEWHERE + path)
            ends.append(len(text))
        self._text = np.frombuffer(text, np.uint8)
        self._ends = np.frombuffer(ends, np.int64)

    @property
    def buffers(self) -> tuple[np.ndarray, np.ndarray]:
        """The paths below the root, and where each of them ends."""
        return self._text, self._ends

    @property
    def nbytes(self) -> int:
        """Bytes that the paths take."""
        return sum(buffer.nbytes for buffer in self.buffers)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        """A path by its number, which may be negative.

        Raises:
            IndexError: If there is none of this number.
        """
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f'path {index} of {length}')
        index %= length
        start = self._ends[index - 1] if index else 0
        text = self._text[start : self._ends[index]].tobytes()
        path = text.decode('utf-8', 'surrogateescape')
        if path.startswith(_ELSEWHERE):
            return path[len(_ELSEWHERE) :]
        return self.root + path

    def select(self, indices: int | Sequence[int]) -> 'PathList':
        """Some of the paths, in a list of their own.

        Args:
            indices (int | Sequence[int]): The first so many, the last so
                many if negative, or the numbers of the wanted ones: as
                mmengine's ``BaseDataset.get_subset`` takes them.

        Returns:
            PathList: A copy, which does not keep the whole list alive.

        Raises:
            TypeError: If ``indices`` is neither.
            IndexError: If a number is out of range.
        """
        if isinstance(indices, int):
            numbers = range(len(self))
            indices = numbers[:indices] if indices >= 0 else numbers[indices:]
        elif not isinstance(indices, Sequence | np.ndarray):
            raise TypeError(
                'indices should be an int or a sequence of int, '
                f'but got {type(indices)}'
            )
        return PathList((self[index] for index in indices), self.root)


def _encode(path: str) -> bytes:
    """Any name that a file system has, whatever its encoding."""
    return path.encode('utf-8', 'surrogateescape')
