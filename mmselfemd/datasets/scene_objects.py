"""Classes of objects that lie in synthetic scenes (see ``scene_renderer.py``).

The silhouette makes the class; each class has a texture of its own kind in
random colours. Both live in the object's own frame: coordinates (u, v), the
object inside the unit circle, v pointing down when it stands upright.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Contours = Sequence[np.ndarray]
Colours = tuple[np.ndarray, np.ndarray, np.ndarray]
Texture = Callable[[np.ndarray, np.ndarray, Colours, float], np.ndarray]


@dataclass(frozen=True)
class ObjectClass:
    """What all objects of a class have in common.

    Attributes:
        name (str): The category's name.
        contours (Sequence[np.ndarray]): Closed contours (P, 2) of the
            silhouette, filled by the even-odd rule: an inner one is a hole.
        texture (Callable): ``(u, v, colours, radius) -> RGB``, with u and v
            of shape (H, W), three colours (3, ), and the object's radius in
            pixels, by which edges are kept about one pixel wide; the result
            is float32 (H, W, 3).
    """

    name: str
    contours: Contours
    texture: Texture


def _polar(radius: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A contour given by its radius over the angle."""
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    distance = radius(angle)
    return np.stack(
        [distance * np.sin(angle), -distance * np.cos(angle)], axis=1
    )


def _circle(radius: float) -> np.ndarray:
    return _polar(lambda angle: np.full_like(angle, radius))


def _spikes(tips: int, inner: float) -> np.ndarray:
    """A polygon whose corners lie by turns at radius 1 and ``inner``."""
    angle = np.arange(2 * tips) * np.pi / tips
    distance = np.where(np.arange(2 * tips) % 2, inner, 1.0)
    return np.stack(
        [distance * np.sin(angle), -distance * np.cos(angle)], axis=1
    )


def _cross(arm: float) -> np.ndarray:
    end = np.sqrt(1 - arm**2)
    corner = np.array([[arm, -end], [arm, -arm], [end, -arm]])
    turn = np.array([[0, -1], [1, 0]])
    turns = [np.linalg.matrix_power(turn, k) for k in range(4)]
    return np.concatenate([corner @ matrix.T for matrix in turns])


def _crescent() -> np.ndarray:
    outer = np.linspace(0.27 * np.pi, 1.73 * np.pi, 60)
    tip = np.array([np.cos(outer[0]), np.sin(outer[0])])
    middle = np.array([0.62, 0.0])
    radius = np.hypot(*(tip - middle))
    start = np.arctan2(*(tip - middle)[::-1])
    inner = np.linspace(-start, start - 2 * np.pi, 60)[1:-1]
    return np.concatenate(
        [
            np.stack([np.cos(outer), np.sin(outer)], axis=1),
            middle + radius * np.stack([np.cos(inner), np.sin(inner)], axis=1),
        ]
    )


def _bottle() -> np.ndarray:
    right = np.array(
        [
            [0.13, -1.0],
            [0.13, -0.55],
            [0.17, -0.45],
            [0.30, -0.25],
            [0.37, -0.05],
            [0.37, 0.82],
            [0.33, 0.90],
        ]
    )
    return np.concatenate([right, right[::-1] * (-1, 1)])


def _step(distance: np.ndarray, radius: float) -> np.ndarray:
    """1 where a distance (in object units) is positive, over one pixel."""
    return np.clip(0.5 + distance * radius, 0, 1)


def _wave(phase: np.ndarray, sharpness: float) -> np.ndarray:
    """Alternating bands of 0 and 1 with soft edges; one period is 2 pi."""
    return np.clip(0.5 + sharpness * np.sin(phase), 0, 1)


def _mix(
    first: np.ndarray, second: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    return first + (second - first) * weight[..., None].astype(np.float32)


def _sectors(u, v, colours, radius):
    """Beach ball: six sectors and a button."""
    distance = np.hypot(u, v)
    bands = _wave(3 * np.arctan2(v, u), radius / 3 * distance)
    return _mix(
        _mix(colours[0], colours[1], bands),
        colours[2],
        _step(0.22 - distance, radius),
    )


def _belts(u, v, colours, radius):
    """Lifebuoy: four narrow belts around a ring."""
    bands = np.clip(
        0.5 + radius / 4 * (np.cos(4 * np.arctan2(v, u)) - 0.55), 0, 1
    )
    return _mix(colours[0], colours[1], bands)


def _rings(u, v, colours, radius):
    """Concentric rings."""
    return _mix(
        colours[0], colours[1], _wave(15 * np.hypot(u, v) + 1.2, radius / 15)
    )


def _plaid(u, v, colours, radius):
    """Bands both ways, a third colour where they cross."""
    across, along = _wave(9 * u, radius / 9), _wave(9 * v, radius / 9)
    return _mix(
        _mix(colours[0], colours[1], (across + along) / 2),
        colours[2],
        across * along,
    )


def _stripes(u, v, colours, radius):
    """Parallel stripes."""
    return _mix(colours[0], colours[1], _wave(13 * v, radius / 13))


def _dots(u, v, colours, radius):
    """Polka dots on a staggered grid."""
    row = np.floor(v / 0.30)
    shifted = u + 0.17 * (row % 2)
    distance = np.hypot(shifted % 0.34 - 0.17, v % 0.30 - 0.15)
    return _mix(colours[0], colours[1], _step(0.105 - distance, radius))


def _petals(u, v, colours, radius):
    """Petals that change colour outwards, around a middle."""
    distance = np.hypot(u, v)
    petals = _mix(colours[0], colours[1], np.clip(1.5 * distance - 0.5, 0, 1))
    veins = 0.10 * np.cos(6 * np.arctan2(u, -v)) * np.clip(distance, 0, 1)
    petals = petals * (1 + veins)[..., None]
    return _mix(petals, colours[2], _step(0.34 - distance, radius))


def _label(u, v, colours, radius):
    """A bottle's cap, body and label with a zigzag."""
    label = _step(0.30 - np.abs(v - 0.33), radius)
    zigzag = np.abs(v - 0.33 + 0.12 - np.abs((u + 0.12) % 0.48 - 0.24))
    body = _mix(colours[0], colours[1], label)
    body = _mix(body, colours[0], label * _step(0.07 - zigzag, radius))
    return _mix(body, colours[2], _step(-0.72 - v, radius))


OBJECT_CLASSES: tuple[ObjectClass, ...] = (
    ObjectClass('disc', (_circle(1.0),), _sectors),
    ObjectClass('ring', (_circle(1.0), _circle(0.52)), _belts),
    ObjectClass('star', (_spikes(5, 0.45),), _rings),
    ObjectClass('cross', (_cross(0.33),), _plaid),
    ObjectClass('triangle', (_spikes(3, 0.5),), _stripes),
    ObjectClass('crescent', (_crescent(),), _dots),
    ObjectClass(
        'flower',
        (_polar(lambda angle: 0.77 + 0.23 * np.cos(6 * angle)),),
        _petals,
    ),
    ObjectClass('bottle', (_bottle(),), _label),
)
"""The classes; category ids are positions in this tuple, from 1."""
