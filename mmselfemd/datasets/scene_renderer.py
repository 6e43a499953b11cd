"""Synthetic scenes: cluttered pictures with exact boxes and masks."""

from dataclasses import dataclass

import cv2
import numpy as np

from .scene_grounds import GROUNDS, Size, colour, smooth_noise
from .scene_objects import OBJECT_CLASSES, Colours, ObjectClass

NUM_OBJECTS = (5, 11)
"""Fewest and most objects that a scene is begun with."""

DIAMETERS = (0.07, 0.62)
"""Smallest and largest diameter, in shares of the scene's shorter side."""

MIN_VISIBLE = 0.5
"""Share of an object that others and the picture's edge leave in sight."""

_SUPERSAMPLING = 4
_SHIFT = 4  # fractional bits of the vertices given to cv2.fillPoly


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it.

    Attributes:
        image (np.ndarray): RGB uint8 (height, width, 3).
        category_ids (list[int]): For each object the position of its class
            in ``OBJECT_CLASSES``, from 1.
        owners (np.ndarray): uint8 (height, width): the number of the object
            that is seen at each pixel, from 1, and 0 on the ground.
    """

    image: np.ndarray
    category_ids: list[int]
    owners: np.ndarray

    def masks(self) -> list[np.ndarray]:
        """The visible part of each object: uint8 (height, width), 0 or 1."""
        return [
            (self.owners == number).astype(np.uint8)
            for number in range(1, 1 + len(self.category_ids))
        ]


@dataclass(frozen=True)
class _Pose:
    """Where an object lies: centre and radius in pixels, angle in radians."""

    x: float
    y: float
    radius: float
    angle: float

    def window(self, size: Size, margin: float) -> tuple[slice, slice]:
        """Rows and columns of the picture that the object may touch."""
        reach = self.radius + margin
        return (
            slice(
                max(0, int(self.y - reach)),
                min(size[1], int(self.y + reach) + 2),
            ),
            slice(
                max(0, int(self.x - reach)),
                min(size[0], int(self.x + reach) + 2),
            ),
        )

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Object coordinates (P, 2) to pixels, x and y."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        return points @ turn * self.radius + (self.x, self.y)

    def to_object(
        self, window: tuple[slice, slice]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Object coordinates (u, v) of the pixels of a window."""
        rows, columns = window
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
        x, y = (x - self.x) / self.radius, (y - self.y) / self.radius
        cos, sin = (
            np.float32(np.cos(self.angle)),
            np.float32(np.sin(self.angle)),
        )
        return cos * x + sin * y, cos * y - sin * x


def _coverage(
    object_class: ObjectClass, pose: _Pose, window: tuple[slice, slice]
) -> np.ndarray:
    """How much of each pixel of the window the silhouette covers: 0 to 1."""
    rows, columns = window
    height, width = rows.stop - rows.start, columns.stop - columns.start
    fine = np.zeros(
        (height * _SUPERSAMPLING, width * _SUPERSAMPLING), np.uint8
    )
    vertices = []
    for contour in object_class.contours:
        points = pose.to_picture(contour) - (columns.start, rows.start)
        # The centre of pixel 0 lies at 1.5 in a picture 4 times as fine.
        points = (points + 0.5) * _SUPERSAMPLING - 0.5
        vertices.append(np.round(points * 2**_SHIFT).astype(np.int32))
    cv2.fillPoly(fine, vertices, 255, shift=_SHIFT)
    coarse = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return coarse.astype(np.float32) / 255


class _Canvas:
    """A ground onto which objects are laid one over the other.

    Args:
        rng (np.random.Generator): Source of everything random.
        size (tuple[int, int]): Width and height in pixels.
    """

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        self.rng = rng
        self.size = size
        ground = GROUNDS[rng.integers(len(GROUNDS))]
        self.image = ground(rng, size).astype(np.float32)
        self.owners = np.zeros(size[::-1], np.uint8)
        self.category_ids: list[int] = []
        self._areas: list[float] = []
        direction = rng.uniform(0, 2 * np.pi)
        self.light = np.float32([np.cos(direction), np.sin(direction)])

    def place(self, category_id: int, radius: float, tries: int = 12) -> bool:
        """Lay an object where it leaves all others, and itself, in sight.

        Args:
            category_id (int): Position of its class, from 1.
            radius (float): Radius in pixels.
            tries (int): Random poses to try. Defaults to 12.

        Returns:
            bool: Whether a place was found.
        """
        object_class = OBJECT_CLASSES[category_id - 1]
        for _ in range(tries):
            pose = _Pose(
                self.rng.uniform(0.3 * radius, self.size[0] - 0.3 * radius),
                self.rng.uniform(0.3 * radius, self.size[1] - 0.3 * radius),
                radius,
                self.rng.uniform(0, 2 * np.pi),
            )
            # The margin holds the whole shadow.
            window = pose.window(self.size, margin=0.45 * radius + 2)
            coverage = _coverage(object_class, pose, window)
            if self._leaves_all_in_sight(
                object_class, radius, window, coverage >= 0.5
            ):
                self._paint(object_class, pose, window, coverage)
                self.category_ids.append(category_id)
                self.owners[window][coverage >= 0.5] = len(self.category_ids)
                return True
        return False

    def _leaves_all_in_sight(
        self,
        object_class: ObjectClass,
        radius: float,
        window: tuple[slice, slice],
        mask: np.ndarray,
    ) -> bool:
        area = _area(object_class) * radius**2
        if mask.sum() < MIN_VISIBLE * area:
            return False
        hidden = np.bincount(
            self.owners[window][mask], minlength=1 + len(self._areas)
        )
        seen = np.bincount(self.owners.ravel(), minlength=1 + len(self._areas))
        left = (seen - hidden)[1:]
        if (left < MIN_VISIBLE * np.array(self._areas)).any():
            return False
        self._areas.append(area)
        return True

    def _paint(
        self,
        object_class: ObjectClass,
        pose: _Pose,
        window: tuple[slice, slice],
        coverage: np.ndarray,
    ) -> None:
        """Shadow first, then the textured and shaded object."""
        self._cast_shadow(pose, window, coverage)
        u, v = pose.to_object(window)
        paint = object_class.texture(
            u, v, random_colours(self.rng), pose.radius
        )
        paint = paint * self._shading(pose, window, coverage)[..., None]
        patch = self.image[window]
        patch += (paint - patch) * coverage[..., None]

    def _cast_shadow(
        self, pose: _Pose, window: tuple[slice, slice], coverage: np.ndarray
    ) -> None:
        blur = cv2.GaussianBlur(coverage, (0, 0), 0.4 + 0.07 * pose.radius)
        offset = -(1 + 0.14 * pose.radius) * self.light
        shift = np.float32([[1, 0, offset[0]], [0, 1, offset[1]]])
        shadow = cv2.warpAffine(blur, shift, blur.shape[::-1])
        self.image[window] *= 1 - 0.55 * shadow[..., None]

    def _shading(
        self, pose: _Pose, window: tuple[slice, slice], coverage: np.ndarray
    ) -> np.ndarray:
        """Brighter towards the light, with a bevelled, darkened edge."""
        spread = 0.6 + 0.05 * pose.radius
        inside = cv2.GaussianBlur(coverage, (0, 0), spread)
        slope_x = cv2.Sobel(inside, cv2.CV_32F, 1, 0) / 8 * spread
        slope_y = cv2.Sobel(inside, cv2.CV_32F, 0, 1) / 8 * spread
        bevel = -(slope_x * self.light[0] + slope_y * self.light[1])
        rows, columns = window
        x = np.arange(columns.start, columns.stop, dtype=np.float32)[None]
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        towards = (x - pose.x) * self.light[0] + (y - pose.y) * self.light[1]
        return (
            1.08
            + 0.14 / pose.radius * towards
            + 0.8 * bevel
            - 0.35 * (1 - inside)
        )


def _area(object_class: ObjectClass) -> float:
    """Area of a silhouette of radius 1: the even-odd sum of its contours."""
    areas = sorted(
        cv2.contourArea(np.float32(contour))
        for contour in object_class.contours
    )
    return areas[-1] - sum(areas[:-1])


def random_colours(rng: np.random.Generator) -> Colours:
    """Three colours that stand out from a ground and from each other."""
    hue = rng.uniform()
    main = colour(hue, rng.uniform(0.75, 1), rng.uniform(0.8, 1))
    if rng.uniform() < 0.5:
        second = colour(
            hue + rng.uniform(-0.1, 0.1), 0.08, rng.uniform(0.95, 1)
        )
    else:
        second = colour(
            hue + rng.uniform(0.35, 0.65),
            rng.uniform(0.7, 1),
            rng.uniform(0.8, 1),
        )
    third = colour(
        hue + rng.uniform(0.15, 0.3),
        rng.uniform(0.7, 1),
        rng.uniform(0.25, 0.5),
    )
    return main, second, third


def render_scene(rng: np.random.Generator, size: Size = (320, 240)) -> Scene:
    """Draw one scene.

    Textured objects of random classes, sizes (log-uniform), angles and
    colours lie scattered over a textured ground and partly hide each other;
    none is ever hidden by more than half, so all that is drawn is annotated.

    Args:
        rng (np.random.Generator): Source of everything random: generators in
            the same state give the same scene.
        size (tuple[int, int]): Width and height in pixels. Defaults to
            (320, 240).

    Returns:
        Scene: The picture, its objects and who is seen where.
    """
    canvas = _Canvas(rng, size)
    count = rng.integers(NUM_OBJECTS[0], NUM_OBJECTS[1] + 1)
    # Large ones first: a small one below a large one would be out of sight.
    diameters = min(size) * np.exp(
        np.sort(rng.uniform(*np.log(DIAMETERS), count))[::-1]
    )
    for diameter in diameters:
        canvas.place(1 + int(rng.integers(len(OBJECT_CLASSES))), diameter / 2)
    vignette = 1 + 0.12 * smooth_noise(rng, size, max(size), 1)
    image = canvas.image * vignette[..., None] * 255
    image += 2 * rng.standard_normal(image.shape, np.float32)
    return Scene(
        np.clip(image, 0, 255).round().astype(np.uint8),
        canvas.category_ids,
        canvas.owners,
    )
