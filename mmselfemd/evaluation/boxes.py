"""Ground-truth boxes as images of their own."""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools.coco import COCO

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.errors import (
    UserError,
    UserFileNotFoundError,
    UserValueError,
)

_CHECK = 'tools/check_annotations.py {} names all that is wrong.'

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Boxes(NamedTuple):
    """Boxes cut from their images.

    Attributes:
        crops (np.ndarray): Images, BGR, uint8, (N, size, size, 3).
        labels (np.ndarray): Names of their categories, (N,).
        images (np.ndarray): File names of the images that they are from,
            (N,).
    """

    crops: np.ndarray
    labels: np.ndarray
    images: np.ndarray


def cut_boxes(
    annotations: str | Path,
    images: str | Path,
    size: int = 112,
    min_side: float = 8,
    max_boxes: int | None = None,
    seed: int = 0,
    progress: Progress = iter,
    mapping: ValueMapping | None = None,
) -> Boxes:
    """Cut the ground-truth boxes of a COCO-style file from their images.

    Left out are boxes marked ``iscrowd`` or ``ignore``, and small ones. The
    rest are stretched to squares, without context around them.

    Args:
        annotations (str or Path): The JSON file.
        images (str or Path): The folder that its ``file_name`` is below.
        size (int): Side of a crop in pixels. Defaults to 112.
        min_side (float): Boxes that are narrower or lower within their image
            are left out, in pixels of the image. Defaults to 8.
        max_boxes (int, optional): How many boxes at the most, drawn with
            ``seed``. Defaults to None: all.
        seed (int): Of that draw. Defaults to 0.
        progress (Callable): Goes around the list of images while they are
            decoded. Defaults to ``iter``: nothing is shown.
        mapping (ValueMapping, optional): How 8-bit colour is made of them,
            see :func:`mmselfemd.datasets.image_values.mapping_of`. Defaults
            to None: as it is where nothing is set.

    Returns:
        Boxes: In the order of the images and annotations of the file.

    Raises:
        UserError: If a file is missing or unreadable, an image has another
            size than its annotation says, or no box is left.
    """
    coco = _read_annotations(annotations)
    found = _usable_boxes(coco, annotations, min_side)
    if max_boxes is not None and len(found) > max_boxes:
        chosen = np.random.default_rng(seed).choice(
            len(found), max_boxes, replace=False
        )
        found = [found[index] for index in sorted(chosen)]
    per_image: dict[int, list] = {}
    for box in found:
        per_image.setdefault(box.image_id, []).append(box.corners)
    crops = [
        cut_view(pixels, (left, top, right - left, bottom - top), False, size)
        for image_id in progress(list(per_image))
        for pixels in [_read_image(Path(images), coco.imgs[image_id], mapping)]
        for left, top, right, bottom in per_image[image_id]
    ]
    return Boxes(
        np.stack(crops),
        np.array([box.label for box in found]),
        np.array([box.file_name for box in found]),
    )


def _read_annotations(path: str | Path) -> COCO:
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints
            return COCO(str(path))
    except FileNotFoundError as error:
        raise UserFileNotFoundError(
            f'{path}: there is no such annotation file.'
        ) from error
    # What is no JSON, or no text, is a ValueError.
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise UserValueError(
            f'{path} is no COCO-style annotation file '
            f'({type(error).__name__}: {error}). {_CHECK.format(path)}'
        ) from error


class _Box(NamedTuple):
    image_id: int
    file_name: str
    label: str
    corners: tuple[int, int, int, int]


def _usable_boxes(coco: COCO, path: str | Path, min_side: float) -> list[_Box]:
    """Those that are not left out, in the order of images and annotations."""
    try:
        found = [
            _Box(
                image['id'],
                image['file_name'],
                coco.cats[annotation['category_id']]['name'],
                corners,
            )
            for image in coco.imgs.values()
            for annotation in coco.imgToAnns[image['id']]
            if (corners := _corners(annotation, image, min_side)) is not None
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise UserValueError(
            f'{path}: an image, a box or a category is not as COCO has it '
            f'({type(error).__name__}: {error}). {_CHECK.format(path)}'
        ) from error
    if not found:
        raise UserValueError(
            f'{path} holds no box with sides of at least {min_side} pixels '
            'that is neither crowd nor ignored.'
        )
    return found


def _corners(
    annotation: dict, image: dict, min_side: float
) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom within the image; None for one left out."""
    if annotation.get('iscrowd') or annotation.get('ignore'):
        return None
    left, top, width, height = annotation['bbox']
    sides = (image['width'], image['height']) * 2
    exact = np.clip((left, top, left + width, top + height), 0, sides)
    if (exact[2:] - exact[:2]).min() < min_side:
        return None
    left, top, right, bottom = exact.round().astype(int).tolist()
    return (
        (left, top, right, bottom) if left < right and top < bottom else None
    )


def _read_image(
    folder: Path, image: dict, mapping: ValueMapping | None
) -> np.ndarray:
    path = folder / image['file_name']
    if not path.is_file():
        raise UserFileNotFoundError(
            f"{path}: there is no such image. The annotations' file names "
            f'are looked for below {folder}.'
        )
    try:
        pixels = (mapping or ValueMapping()).read(path.read_bytes())
    except BrokenImageError as error:
        raise UserError(f'{path} cannot be read: {error}.') from error
    expected = (image['height'], image['width'])
    if pixels.shape[:2] != expected:
        raise UserValueError(
            f'{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels, its '
            f'annotation says {expected[1]} x {expected[0]}: the boxes are '
            'of other images.'
        )
    return pixels
