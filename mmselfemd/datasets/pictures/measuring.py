"""Which values the pictures of a data set have, to find ``value_range``."""

import math
from typing import NamedTuple

import numpy as np

from .picture import Picture, Range

#: Percentiles between which the values are taken to lie: a dead pixel or a
#: border without data must not decide.
PERCENTILES = (0.1, 99.9)

#: Where pictures use less than this share of what their files can hold, no
#: one has meant them to be looked at as they are.
LEAST_SHARE = 1 / 4

_VALUES_A_PICTURE = 4096


class Values(NamedTuple):
    """Measured values of pictures of one type of number.

    Attributes:
        dtype (str): The type.
        full_range (tuple[float, float], optional): See :class:`Picture`.
        used (tuple[float, float]): The values at :data:`PERCENTILES`.
        num_pictures (int): How many pictures they are of.
    """

    dtype: str
    full_range: Range | None
    used: Range
    num_pictures: int

    @property
    def share(self) -> float | None:
        """How much of the full range is used, in [0, 1]; None for floats."""
        if self.full_range is None:
            return None
        low, high = self.full_range
        return (self.used[1] - self.used[0]) / (high - low)

    @property
    def needs_range(self) -> bool:
        """Whether ``value_range`` has to be set for such pictures."""
        return self.share is None or self.share < LEAST_SHARE

    def describe(self) -> str:
        """Say it in a line.

        Returns:
            str: The type, the values, and how much of the range they are.
        """
        line = '{} of {} to {}'.format(self.dtype, *_numbers(self.used))
        if self.full_range is None:
            return line
        return line + (
            f', {100 * self.share:.2g} % of the range of the files '
            '({} to {})'.format(*_numbers(self.full_range))
        )


class ValueSample:
    """Collects values of pictures of more than 8 bits."""

    def __init__(self) -> None:
        self._samples: dict[tuple[str, Range | None], list[np.ndarray]] = {}

    def add(
        self, dtype: str, full_range: Range | None, values: np.ndarray
    ) -> None:
        """Add values of a picture, see :func:`sample_of`.

        Args:
            dtype (str): Their type in the file.
            full_range (tuple[float, float], optional): That of the picture.
            values (np.ndarray): (N,).
        """
        if values.size:
            key = dtype, full_range
            self._samples.setdefault(key, []).append(values)

    def measured(self) -> list[Values]:
        """Measure what was added.

        Returns:
            list[Values]: One for each type of number.
        """
        return [
            Values(
                dtype,
                full_range,
                _used(np.concatenate(samples), dtype),
                len(samples),
            )
            for (dtype, full_range), samples in self._samples.items()
        ]

    def share_outside(self, value_range: Range) -> float:
        """Measure how many values a range would cut off.

        Args:
            value_range (tuple[float, float]): The range.

        Returns:
            float: Their share, in [0, 1]; 0 if nothing was added.
        """
        if not self._samples:
            return 0.0
        values = np.concatenate(
            [each for samples in self._samples.values() for each in samples]
        )
        low, high = value_range
        return float(np.mean((values < low) | (values > high)))


def sample_of(picture: Picture, pixels: np.ndarray) -> np.ndarray:
    """Take some values of a picture, evenly spread.

    Args:
        picture (Picture): The picture.
        pixels (np.ndarray): Those of its bands that count, (H, W, bands).

    Returns:
        np.ndarray: (N,), float64, finite; empty for a picture of 8 bits.
    """
    if picture.is_plain or picture.pixels.dtype == np.uint8:
        return np.empty(0)
    points = pixels.reshape(-1, pixels.shape[2])
    # Three colours may have so many each, hundreds of bands together.
    most = max(3 * _VALUES_A_PICTURE // pixels.shape[2], 1)
    count = min(len(points), _VALUES_A_PICTURE, most)
    some = np.linspace(0, len(points) - 1, count).astype(int)
    values = points[some].astype(np.float64).ravel()
    return values[np.isfinite(values)]


def range_setting(measured: list[Values]) -> Range:
    """The ``value_range`` that holds what was measured.

    Args:
        measured (list[Values]): Not empty.

    Returns:
        tuple[float, float]: The range; integers for files of integers.
    """
    return (
        min(each.used[0] for each in measured),
        max(each.used[1] for each in measured),
    )


def written(value_range: Range) -> str:
    """A range as a config has it.

    Args:
        value_range (tuple[float, float]): The range.

    Returns:
        str: Such as ``'(29012, 30988)'``.
    """
    return '({}, {})'.format(*_numbers(value_range))


def _used(values: np.ndarray, dtype: str) -> Range:
    low, high = np.percentile(values, PERCENTILES)
    if np.dtype(dtype).kind in 'ui':
        low, high = np.floor(low), np.ceil(high)
    if low == high:  # of one value
        high = low + max(1, abs(low) / 1000)
    return float(low), float(high)


def _numbers(value_range: Range) -> list[str]:
    """Both ends, to a thousandth of what lies between them."""
    low, high = value_range
    decimals = 3 - math.floor(math.log10(high - low))
    rounded = (round(value, max(decimals, 0)) for value in value_range)
    return [f'{n:.0f}' if n == int(n) else str(float(n)) for n in rounded]
