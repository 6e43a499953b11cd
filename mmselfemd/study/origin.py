"""What readings have to share to be compared in pairs."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmselfemd.comparison.settings import digest
from mmselfemd.errors import UserValueError


class Origin(NamedTuple):
    """What a reading was made from.

    Attributes:
        beginning (np.ndarray): :func:`~.beginning.fingerprint` of the
            untrained backbone.
        data (str): :func:`digest_of` the files that say which images and
            boxes are read.
    """

    beginning: np.ndarray
    data: str

    def check(self, path: Path, other: 'Origin') -> None:
        """Raise if a reading cannot be paired with those of this origin.

        Args:
            path (Path): Where the reading is, for the message.
            other (Origin): What it was made from.

        Raises:
            UserValueError: If it began from other weights, or read other
                images or boxes.
        """
        differs = None
        if self.data != str(other.data):
            differs = 'was made from other images or boxes'
        elif self.beginning.shape != other.beginning.shape or not np.allclose(
            self.beginning, other.beginning, rtol=1e-4
        ):
            differs = 'is of a run that began from another untrained backbone'
        if differs:
            raise UserValueError(
                f"'{path}' {differs} than this study, so that they are no "
                'pairs: take it away, or give another --work-dir'
            )


def digest_of(paths: Iterable[Path]) -> str:
    """What tells files of other content apart.

    Args:
        paths (Iterable[Path]): The files, in order.

    Returns:
        str: Of their bytes, SHA-256 in hexadecimal digits.
    """
    return digest(b''.join(bytes.fromhex(digest(path)) for path in paths))
