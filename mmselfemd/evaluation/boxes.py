"""Ground-truth boxes as images of their own, and a backbone's view of them."""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from pycocotools.coco import COCO
from torch import Tensor, nn

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.cut_views import cut_view
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.errors import (
    UserError,
    UserFileNotFoundError,
    UserValueError,
)
from mmselfemd.models.norm_statistics import (
    batch_statistics,
    running_statistics,
)

from .reading import Reading, read_features

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


@torch.no_grad()
def box_features(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    crops: np.ndarray,
    batch_size: int = 64,
    statistics: str = 'batch',
    seed: int = 0,
    progress: Progress = iter,
) -> Tensor:
    """Features of boxes: the mean over the backbone's last map.

    By default batch norms use the statistics of the batch, as in
    :func:`measure_matching`, so that an untrained network, whose running
    statistics are those of no data, can be measured in the same way. A
    box's feature then depends on its batch. So batches are of one size and
    of a shuffled order: in the order of a file they would hold the boxes of
    few images, or of one class, whose common part the norm takes away. The
    last batch is filled up with boxes of the first.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        crops (np.ndarray): Images, BGR, uint8, (N, size, size, 3).
        batch_size (int): Size of every batch. Defaults to 64.
        statistics (str): ``batch`` or ``running``. Defaults to 'batch'.
        seed (int): Of the order. Defaults to 0.
        progress (Callable): Goes around the list of batches. Defaults to
            ``iter``: nothing is shown.

    Returns:
        Tensor: Features on the CPU, float32, (N, C), in the order of
        ``crops``.

    Raises:
        UserValueError: If ``statistics`` is neither of the two.
    """
    if statistics not in ('batch', 'running'):
        raise UserValueError(
            f"statistics={statistics!r}: expected 'batch' or 'running'."
        )
    with_statistics = (
        batch_statistics if statistics == 'batch' else running_statistics
    )
    order = np.random.default_rng(seed).permutation(len(crops))
    num_batches = -(-len(crops) // batch_size)
    batches = np.resize(order, (num_batches, batch_size))  # goes round
    features = []
    for batch in progress(list(batches)):
        images = torch.from_numpy(crops[batch]).movedim(-1, 1)
        data = data_preprocessor(dict(inputs=[images], data_samples=None))
        with with_statistics(backbone):
            last_map = backbone(data['inputs'][0])[-1]
        features.append(last_map.mean((2, 3)).cpu())
    features = torch.cat(features)[: len(crops)].float()
    return features[np.argsort(order)]


def read_boxes(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    train: Boxes,
    val: Boxes,
    batch_size: int = 64,
    statistics: str = 'batch',
    seed: int = 0,
    progress: Progress = iter,
) -> Reading:
    """Read the labels of boxes from the features of a frozen backbone.

    Args:
        backbone (nn.Module): See :func:`box_features`, as all the others.
        data_preprocessor (nn.Module): The model's data preprocessor.
        train (Boxes): Boxes whose labels are shown.
        val (Boxes): Boxes whose labels are read, of other images.
        batch_size (int): Size of every batch. Defaults to 64.
        statistics (str): ``batch`` or ``running``. Defaults to 'batch'.
        seed (int): Of the order, and of the split by which the ridge's
            strength is chosen. Defaults to 0.
        progress (Callable): Goes around the lists of batches. Defaults to
            ``iter``: nothing is shown.

    Returns:
        Reading: What was recognised, by image of ``val``.

    Raises:
        UserValueError: If an image is in both sets, or they have no category
            name in common.
    """
    check_apart(train, val)
    features = [
        box_features(
            backbone,
            data_preprocessor,
            boxes.crops,
            batch_size,
            statistics,
            seed,
            progress,
        )
        for boxes in (train, val)
    ]
    return read_features(
        *features, train.labels, val.labels, train.images, val.images, seed
    )


def check_apart(train: Boxes, val: Boxes) -> None:
    """Raise if the labels of one set cannot, or need not, be read off it.

    Args:
        train (Boxes): Boxes whose labels are shown.
        val (Boxes): Boxes whose labels are read.

    Raises:
        UserValueError: If an image is in both sets, or they have no category
            name in common.
    """
    shared = np.intersect1d(train.images, val.images)
    if len(shared):
        raise UserValueError(
            f'{len(shared)} images are in the annotations for training and '
            f'in those for validation, {shared[0]} first: the answers would '
            'be in the question. Use files without common images.'
        )
    if not len(np.intersect1d(train.labels, val.labels)):
        raise UserValueError(
            'the boxes for training and those for validation have no '
            'category name in common.'
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
