"""A picture as its file has it: its own bands, its own values."""

from dataclasses import dataclass

import numpy as np

from mmselfemd.errors import UserValueError

Range = tuple[float, float]


@dataclass
class Picture:
    """A picture in the bands and values of its file, upright.

    Attributes:
        pixels (np.ndarray): (H, W, bands), of any type of number; colours in
            the order red, green, blue.
        kind (str): Kind of file, such as ``'TIFF'``.
        full_range (tuple[float, float], optional): The least and the largest
            value that the file can hold; None for floats, which have none.
        colours (tuple[int, ...], optional): Which bands are red, green and
            blue, or the one that is grey; None where the file does not say.
    """

    pixels: np.ndarray
    kind: str
    full_range: Range | None
    colours: tuple[int, ...] | None

    @property
    def is_plain(self) -> bool:
        """Whether its values are those of 8-bit colour."""
        return self.pixels.dtype == np.uint8 and self.full_range == (0, 255)

    @property
    def num_bands(self) -> int:
        """Number of its bands, alpha included."""
        return self.pixels.shape[2]

    def describe(self) -> str:
        """Say what it is, for a message.

        Returns:
            str: Such as ``'a TIFF of 4 bands, uint16'``.
        """
        bands = '1 band' if self.num_bands == 1 else f'{self.num_bands} bands'
        return f'a {self.kind} of {bands}, {self.pixels.dtype}'


def picture_of(
    pixels: np.ndarray,
    kind: str,
    bits: int | None = None,
    colours: tuple[int, ...] | None = None,
    orientation: int = 1,
) -> Picture:
    """Make a picture of decoded pixels.

    Args:
        pixels (np.ndarray): (H, W) or (H, W, bands).
        kind (str): Kind of file.
        bits (int, optional): Bits of a value that are used at most. Defaults
            to None: all.
        colours (tuple[int, ...], optional): See :class:`Picture`. Defaults to
            None: grey of one band or, with alpha, two; colours of the first
            three bands of three or, with alpha, four.
        orientation (int): By EXIF. Defaults to 1: it stands upright.

    Returns:
        Picture: The picture.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    pixels = pixels.astype(pixels.dtype.newbyteorder('='), copy=False)
    if pixels.dtype == bool:
        pixels, bits = pixels.view(np.uint8), 1
    if colours is None and pixels.shape[2] in (1, 2, 3, 4):
        colours = (0,) if pixels.shape[2] < 3 else (0, 1, 2)
    return Picture(
        turned_upright(pixels, orientation),
        kind,
        full_range_of(pixels.dtype, bits),
        colours,
    )


def full_range_of(dtype: np.dtype, bits: int | None = None) -> Range | None:
    """The least and the largest value of a type of number.

    Args:
        dtype (np.dtype): The type.
        bits (int, optional): Bits that are used. Defaults to None: all.

    Returns:
        tuple[float, float] | None: None for floats.
    """
    if dtype.kind not in 'ui':
        return None
    bits = bits or 8 * dtype.itemsize
    if dtype.kind == 'u':
        return 0, 2**bits - 1
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def turned_upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture by the orientation of its EXIF.

    Args:
        pixels (np.ndarray): (H, W, bands), as stored.
        orientation (int): 1 to 8; others are as 1.

    Returns:
        np.ndarray: The same, upright.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def checked_range(value_range: object, where: str) -> Range | None:
    """Check ``value_range`` as a config has it.

    Args:
        value_range (object): Two numbers, or None.
        where (str): Whose setting it is, for the error.

    Returns:
        tuple[float, float] | None: The two numbers.

    Raises:
        UserValueError: If it is anything else.
    """
    if value_range is None:
        return None
    try:
        low, high = (float(value) for value in value_range)
        valid = np.isfinite([low, high]).all() and low < high
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise UserValueError(
            f'{where}: value_range={value_range!r} must be two numbers, the '
            'value that becomes black and the larger one that becomes white, '
            'e.g. (29000, 31000)'
        )
    return low, high


def checked_bands(bands: object, where: str) -> tuple[int, ...] | None:
    """Check ``bands`` as a config has it.

    Args:
        bands (object): One or three numbers of bands, or None.
        where (str): Whose setting it is, for the error.

    Returns:
        tuple[int, ...] | None: The numbers.

    Raises:
        UserValueError: If it is anything else.
    """
    if bands is None:
        return None
    if (
        not isinstance(bands, list | tuple)
        or len(bands) not in (1, 3)
        or any(type(band) is not int or band < 0 for band in bands)
    ):
        raise UserValueError(
            f'{where}: bands={bands!r} must be the numbers, from 0, of the '
            'three bands that become red, green and blue, e.g. (0, 1, 2), or '
            'of the one that becomes grey, e.g. [3]. Other numbers of bands '
            'than these are not trained on'
        )
    return tuple(bands)
