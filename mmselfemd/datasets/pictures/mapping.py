"""From a picture's own bands and values to 8-bit colour."""

from collections.abc import Sequence
from contextlib import suppress

import cv2
import numpy as np

from ..transforms.encoded_image import (
    BrokenImageError,
    UndecodedImageError,
    UnfitBandsError,
    decode_image,
)
from .kinds import is_plain
from .opening import open_picture
from .picture import Picture, Range, checked_bands, checked_range

_COLOURS = (0, 1, 2)
_GREY = (0,)


class ValueMapping:
    """How pictures of other bands and values become BGR of 8 bits.

    A picture of 8 bits stays as it is. Of others ``value_range`` becomes 0 to
    255, evenly, and values beyond it are cut off; NaN is black.

    Args:
        value_range (tuple[float, float], optional): The value that becomes
            black and the one that becomes white. Defaults to None: all that
            the file can hold; pictures of floats are then refused.
        bands (Sequence[int], optional): Numbers, from 0, of the three bands
            that become red, green and blue, or of one that becomes grey. A
            grey picture is all three colours, bands 0 to 2. Defaults to None:
            what the file says are colours; files that do not say are refused.
        where (str): Whose settings they are, for errors. Defaults to
            'LoadImage'.

    Raises:
        UserValueError: If ``value_range`` or ``bands`` is none.
    """

    def __init__(
        self,
        value_range: Range | None = None,
        bands: Sequence[int] | None = None,
        where: str = 'LoadImage',
    ) -> None:
        self.value_range = checked_range(value_range, where)
        self.bands = checked_bands(bands, where)

    def __repr__(self) -> str:
        return f'value_range={self.value_range}, bands={self.bands}'

    @property
    def keeps_colours(self) -> bool:
        """Whether a colour picture of 8 bits stays as it is."""
        return self.bands in (None, _COLOURS)

    def read(self, content: bytes) -> np.ndarray:
        """Decode a picture of any kind.

        Args:
            content (bytes): The file.

        Returns:
            np.ndarray: BGR, uint8, (H, W, 3).

        Raises:
            BrokenImageError: If it does not decode, or needs settings.
        """
        if self.keeps_colours and is_plain(content):
            with suppress(UndecodedImageError):
                return decode_image(content)
        return self.apply(open_picture(content))

    def apply(self, picture: Picture) -> np.ndarray:
        """Make 8-bit colour of a picture.

        Args:
            picture (Picture): The picture.

        Returns:
            np.ndarray: BGR, uint8, (H, W, 3).

        Raises:
            BrokenImageError: If it cannot be known which bands or values are
                meant; the message says what to set.
        """
        pixels = self.picked(picture)
        if not picture.is_plain:
            pixels = _to_8_bits(pixels, self._range_of(picture))
        is_grey = pixels.shape[2] == 1
        # By OpenCV, several times as fast as numpy.
        return cv2.cvtColor(
            np.ascontiguousarray(pixels),
            cv2.COLOR_GRAY2BGR if is_grey else cv2.COLOR_RGB2BGR,
        )

    def picked(self, picture: Picture) -> np.ndarray:
        """Take the bands that become colours, in their own values.

        Args:
            picture (Picture): The picture.

        Returns:
            np.ndarray: (H, W, 1 or 3).

        Raises:
            UnfitBandsError: If the file does not say which they are, or
                lacks one that ``bands`` names.
        """
        bands = self.bands or picture.colours
        if bands is None:
            raise UnfitBandsError(
                f'it is {picture.describe()}, and does not say which are '
                'colours: set bands to three of them, red, green, blue, e.g. '
                'bands=(0, 1, 2)'
            )
        if max(bands) >= picture.num_bands:
            if picture.colours != _GREY or max(bands) > max(_COLOURS):
                raise UnfitBandsError(
                    f'it is {picture.describe()}, of numbers 0 to '
                    f'{picture.num_bands - 1}, and bands={bands} names '
                    'others: set bands to numbers that it has'
                )
            bands = _GREY
        if bands == _COLOURS[: len(bands)]:
            return picture.pixels[..., : len(bands)]
        return picture.pixels[..., list(bands)]

    def _range_of(self, picture: Picture) -> Range:
        value_range = self.value_range or picture.full_range
        if picture.pixels.dtype == np.uint8:  # a PGM up to 100, say
            value_range = picture.full_range
        if value_range is None:
            low, high = _extent(picture.pixels)
            raise BrokenImageError(
                f'it is {picture.describe()}, with values of {low:g} to '
                f'{high:g}, and floats have no range of their own: set '
                'value_range=(low, high); tools/check_images.py measures it'
            )
        return value_range


def _to_8_bits(pixels: np.ndarray, value_range: Range) -> np.ndarray:
    low, high = value_range
    values = pixels.astype(np.float32 if pixels.itemsize < 4 else np.float64)
    values = (values - low) * (255 / (high - low)) + 0.5
    np.nan_to_num(values, copy=False, nan=0, posinf=255, neginf=0)
    return np.clip(values, 0, 255).astype(np.uint8)


def _extent(pixels: np.ndarray) -> Range:
    finite = pixels[np.isfinite(pixels)]
    if not finite.size:
        return float('nan'), float('nan')
    return float(finite.min()), float(finite.max())
