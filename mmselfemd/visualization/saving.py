"""Writing figures and images to files."""

import os
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from mmselfemd.atomic_file import atomic_write


def check_image(name: str, image: np.ndarray) -> None:
    """Raise unless an array is an RGB picture.

    Args:
        name (str): What the caller calls it.
        image (np.ndarray): Expected: uint8 (height, width, 3).

    Raises:
        ValueError: If it is anything else.
    """
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or 0 in image.shape
    ):
        found = (
            f'{image.dtype} {image.shape}'
            if isinstance(image, np.ndarray)
            else type(image).__name__
        )
        raise ValueError(
            f'{name} must be an RGB image, a uint8 array of '
            f'shape (height, width, 3), but got {found}'
        )


def to_image(figure: Figure, dpi: int = 120) -> np.ndarray:
    """Draw a figure into an array, for loggers that take no file.

    Args:
        figure (Figure): A matplotlib figure; its resolution is changed.
        dpi (int): Pixels per inch. Defaults to 120.

    Returns:
        np.ndarray: RGB image, uint8 (height, width, 3).
    """
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_figure(
    figure: Figure | np.ndarray, path: str | os.PathLike, dpi: int = 120
) -> Path:
    """Write a figure or an image as a PNG file, whole or not at all.

    Args:
        figure (Figure | np.ndarray): A matplotlib figure, or an RGB image:
            uint8 (height, width, 3).
        path (str | os.PathLike): File to write, ending in ``.png``; its
            folder is made, a file of that name is replaced.
        dpi (int): Pixels per inch of a matplotlib figure. Defaults to 120.

    Returns:
        Path: The file.

    Raises:
        ValueError: If the name does not end in ``.png``, or the array is not
            an RGB image.
    """
    path = Path(path)
    if path.suffix.lower() != '.png':
        raise ValueError(f'path must end in .png, but got {path}')
    if not isinstance(figure, Figure):
        check_image('figure', figure)
    with atomic_write(path, durable=False) as file:
        if isinstance(figure, Figure):
            figure.savefig(file, format='png', dpi=dpi)
        else:
            Image.fromarray(figure).save(file, format='PNG')
    return path
