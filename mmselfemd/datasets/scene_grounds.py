"""Textured grounds on which synthetic scenes lie (see ``scene_renderer.py``).

A ground is drawn by a function ``(generator, size) -> image``: ``size`` is
(width, height) in pixels, the image a float32 RGB array (height, width, 3)
with values in [0, 1]. Grounds are muted, so that objects stand out.
"""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

Size = tuple[int, int]


def colour(hue: float, saturation: float, value: float) -> np.ndarray:
    """An RGB colour, float32 (3, ), from HSV; the hue is cyclic, in turns."""
    return np.float32(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


def smooth_noise(
    rng: np.random.Generator,
    size: Size,
    cell: float | tuple[float, float],
    octaves: int = 3,
) -> np.ndarray:
    """Value noise: random grids, enlarged and added up, each octave finer.

    Args:
        rng (np.random.Generator): Source of randomness.
        size (tuple[int, int]): Width and height in pixels.
        cell (float | tuple[float, float]): Size in pixels of the coarsest
            blobs, or their width and height.
        octaves (int): Number of grids; each has half the cell size and half
            the weight of the one before. Defaults to 3.

    Returns:
        np.ndarray: float32 (height, width), about in [-1, 1].
    """
    width, height = size
    cell_x, cell_y = np.broadcast_to(cell, 2)
    noise = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        columns = max(2, round(width * 2**octave / cell_x))
        rows = max(2, round(height * 2**octave / cell_y))
        grid = rng.uniform(-1, 1, (min(rows, height), min(columns, width)))
        noise += (
            cv2.resize(
                grid.astype(np.float32), size, interpolation=cv2.INTER_LINEAR
            )
            / 2**octave
        )
    return noise


def turned_grid(
    rng: np.random.Generator, size: Size
) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates (u, v) of a plane turned by a random angle."""
    width, height = size
    angle = rng.uniform(0, 2 * np.pi)
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    offset = 2 * (width + height)  # keeps both coordinates positive
    return cos * x + sin * y + offset, cos * y - sin * x + offset


def _tint(
    rng: np.random.Generator,
    rows: np.ndarray,
    columns: np.ndarray,
    strength: float,
) -> np.ndarray:
    """A random brightness for every (row, column) cell of a tiling."""
    table = rng.uniform(-strength, strength, (61, 67)).astype(np.float32)
    return table[rows % 61, columns % 67]


def _seams(u: np.ndarray, v: np.ndarray, seam: float) -> np.ndarray:
    """1 on the seams of a tiling, 0 inside its tiles.

    Args:
        u (np.ndarray): Distance in pixels to the nearest vertical seam.
        v (np.ndarray): Distance in pixels to the nearest horizontal seam.
        seam (float): Width of a seam in pixels.
    """
    return np.clip(seam / 2 + 0.5 - np.minimum(u, v), 0, 1)[..., None]


def _to_seam(x: np.ndarray, period: float) -> np.ndarray:
    remainder = x % period
    return np.minimum(remainder, period - remainder)


def wood(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Planks with grain along them."""
    u, v = turned_grid(rng, size)
    plank = rng.uniform(34, 70)
    warp = smooth_noise(rng, size, 90, 2)
    rows = (v / plank).astype(np.int32)
    shift = _tint(rng, rows, rows, 40)
    rings = np.sin((v + shift + 9 * warp) * 0.5 + u * 0.015)
    grain = 0.05 * rings + _tint(rng, rows, rows + 7, 0.10)
    grain += 0.04 * smooth_noise(rng, size, 6, 1)
    base = colour(
        rng.uniform(0.05, 0.10), rng.uniform(0.3, 0.5), rng.uniform(0.45, 0.7)
    )
    image = base * (1 + grain)[..., None]
    return image * (1 - 0.5 * _seams(np.inf, _to_seam(v, plank), 2))


def checker(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Floor tiles in two alternating tones."""
    u, v = turned_grid(rng, size)
    tile = rng.uniform(24, 52)
    rows, columns = (v / tile).astype(np.int32), (u / tile).astype(np.int32)
    hue, saturation = rng.uniform(), rng.uniform(0.05, 0.3)
    value = rng.uniform(0.55, 0.75)
    light = colour(hue, saturation, value)
    dark = colour(hue, saturation, value - rng.uniform(0.12, 0.25))
    odd = ((rows + columns) % 2)[..., None].astype(np.float32)
    image = light + (dark - light) * odd
    tint = _tint(rng, rows, columns, 0.07)
    image = image * (1 + tint + 0.05 * smooth_noise(rng, size, 40))[..., None]
    seams = _seams(_to_seam(u, tile), _to_seam(v, tile), 1.5)
    return image * (1 - 0.35 * seams)


def grass(rng: np.random.Generator, size: Size) -> np.ndarray:
    """Lawn, moss or dry straw: fine upright streaks over soft patches."""
    blades = smooth_noise(rng, size, (3, 11), 2)
    patches = smooth_noise(rng, size, 80)
    base = colour(
        rng.uniform(0.14, 0.36),
        rng.uniform(0.25, 0.5),
        rng.uniform(0.35, 0.55),
    )
    return base * (1 + 0.28 * blades + 0.16 * patches)[..., None]


def bricks(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A running bond: every second row moved by half a brick."""
    u, v = turned_grid(rng, size)
    height = rng.uniform(16, 30)
    width = height * rng.uniform(2, 2.6)
    rows = (v / height).astype(np.int32)
    u = u + (rows % 2) * np.float32(width / 2)
    columns = (u / width).astype(np.int32)
    base = colour(
        rng.uniform(-0.02, 0.08),
        rng.uniform(0.25, 0.5),
        rng.uniform(0.4, 0.62),
    )
    tint = _tint(rng, rows, columns, 0.16)
    image = base * (1 + tint + 0.09 * smooth_noise(rng, size, 12))[..., None]
    seams = _seams(_to_seam(u, width), _to_seam(v, height), 2.5)
    mortar = colour(0.1, 0.08, rng.uniform(0.55, 0.75))
    return image + (mortar - image) * seams


def cloth(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A woven table-cloth with broad faint bands both ways."""
    u, v = turned_grid(rng, size)
    band = rng.uniform(30, 70)
    bands = (np.sin(u * (np.pi / band)) > 0).astype(np.float32)
    bands += np.sin(v * (np.pi / band)) > 0
    weave = np.sin(u * 1.6) * np.sin(v * 1.6)
    base = colour(
        rng.uniform(), rng.uniform(0.15, 0.4), rng.uniform(0.45, 0.7)
    )
    tone = 1.1 - 0.12 * bands + 0.06 * weave
    return base * (tone + 0.05 * smooth_noise(rng, size, 60))[..., None]


def plaster(rng: np.random.Generator, size: Size) -> np.ndarray:
    """A smooth slope between two tones with stains."""
    u, _ = turned_grid(rng, size)
    slope = ((u - u.min()) / np.ptp(u))[..., None]
    hue = rng.uniform()
    start = colour(hue, rng.uniform(0.05, 0.35), rng.uniform(0.5, 0.8))
    end = colour(
        hue + rng.uniform(-0.15, 0.15),
        rng.uniform(0.05, 0.35),
        rng.uniform(0.3, 0.6),
    )
    image = start + (end - start) * slope
    return image * (1 + 0.09 * smooth_noise(rng, size, 50, 4))[..., None]


GROUNDS: tuple[Callable[[np.random.Generator, Size], np.ndarray], ...] = (
    wood,
    checker,
    grass,
    bricks,
    cloth,
    plaster,
)
"""The families of grounds."""
