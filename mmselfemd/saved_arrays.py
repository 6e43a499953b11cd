"""Arrays in ``.npz`` files that may be damaged, or something else."""

import os
import zlib
from collections.abc import Iterable
from zipfile import BadZipFile

import numpy as np

from mmselfemd.errors import UserValueError

# What numpy raises for files of another kind, and for half of one.
_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    OSError,
    EOFError,
    BadZipFile,
    zlib.error,
)


def load_arrays(
    path: str | os.PathLike, names: Iterable[str], what: str
) -> dict[str, np.ndarray]:
    """Read some arrays of a file; objects, which could run code, are refused.

    Args:
        path (str or os.PathLike): A ``.npz`` file.
        names (Iterable[str]): Which arrays.
        what (str): What they are, for the message.

    Returns:
        dict[str, np.ndarray]: By name.

    Raises:
        UserValueError: If it holds something else, or is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in names}
    except _UNREADABLE as error:
        raise UserValueError(
            f"'{path}' holds no {what}, or is damaged: {error}"
        ) from None
