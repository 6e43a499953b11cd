"""Objects of a COCO file with what is around them, and some background."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from mmengine.logging import print_log

from mmselfemd.errors import UserValueError
from mmselfemd.plurals import counted

from .annotations.table import CocoTable

_MAX_ROUNDS = 50  # of proposals for background, before it gives up


@dataclass
class ObjectSamples:
    """Parts of images, each with the class that it is learnt as.

    Attributes:
        image_index (np.ndarray): Row of the image of each, (N,).
        boxes (np.ndarray): Left, top, width and height in whole pixels,
            within the image, (N, 4).
        labels (np.ndarray): Number of the class, (N,); that after the last
            class is background.
    """

    image_index: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def buffers(self) -> tuple[np.ndarray, ...]:
        """The arrays, by which processes compare what they have."""
        return self.image_index, self.boxes, self.labels

    def select(self, rows: Sequence[int]) -> 'ObjectSamples':
        """Some of them.

        Args:
            rows (Sequence[int]): Which.

        Returns:
            ObjectSamples: These, in this order.
        """
        return ObjectSamples(*(each[rows] for each in self.buffers))


def object_samples(
    table: CocoTable,
    classes: Sequence[str],
    context: float = 1.0,
    min_size: float = 8,
    background: float = 0.1,
    seed: int = 0,
) -> ObjectSamples:
    """Choose what is cut from the images of a COCO file.

    "Cheaper Pre-training Lunch", Sec. 3.1. **Positive samples**: the upper
    left and the lower right corner of each box are moved outwards by random
    lengths, such that a side may become twice as long, and what is beyond the
    image is cut off. **Negative samples**: proposals at random, of which
    those are kept that overlap with no box; one for ten positive ones. Both
    are chosen once, before training, as the paper's are saved beforehand.

    Ours, where the descriptions say nothing: each of the four shifts is
    uniform in [0, ``context`` / 2] of the side; a proposal has the size of a
    positive sample and lies anywhere in any image, so that background is of
    the same sizes and shapes as the objects; and crowds, ignored boxes and
    those of categories that are no class count as boxes there, but are no
    positive samples, nor are boxes with a side of less than ``min_size``.

    Args:
        table (CocoTable): The file.
        classes (Sequence[str]): Names of the classes, in the order of labels.
        context (float): By how much of its length a side grows at the most.
            Defaults to 1.0.
        min_size (float): Boxes with a shorter side, in pixels, are no
            samples. Defaults to 8, below which ``check_annotations.py`` calls
            a box small.
        background (float): Negative samples, as a share of the positive ones.
            Defaults to 0.1.
        seed (int): Where the random numbers start. Defaults to 0.

    Returns:
        ObjectSamples: Positive samples in the file's order, then negative.

    Raises:
        UserValueError: If there is no box to cut out, or ``context`` or
            ``background`` is negative or not finite.
    """
    for name, value in (('context', context), ('background', background)):
        if not 0 <= value < np.inf:
            raise UserValueError(f'{name}={value}: expected 0 or more')
    generator = np.random.default_rng(seed)
    numbers = {name: label for label, name in enumerate(classes)}
    labels = np.array([numbers.get(n, -1) for n in table.category_names], int)
    labels = labels[table.category_index]
    large = table.boxes[:, 2:].min(1, initial=np.inf) >= min_size
    rows = np.flatnonzero(table.usable & large & (labels >= 0))
    if not len(rows):
        raise UserValueError(
            f'{table.file}: of {counted(len(table.boxes), "box")} none is of '
            f'a class, no crowd, and at least {min_size:g} pixels wide and '
            'high (min_size): there is nothing to cut out'
        )
    images = table.image_index[rows]
    boxes = _with_context(
        table.boxes[rows], table.sizes[images], context, generator
    )
    number = round(background * len(rows))
    other_images, other_boxes = _background(table, boxes, number, generator)
    return ObjectSamples(
        np.concatenate([images, other_images]).astype(np.int32),
        np.concatenate([boxes, other_boxes]).astype(np.int32),
        np.concatenate(
            [labels[rows], np.full(len(other_images), len(classes))]
        ).astype(np.int32),
    )


def _with_context(
    boxes: np.ndarray,
    sizes: np.ndarray,
    context: float,
    generator: np.random.Generator,
) -> np.ndarray:
    """Boxes whose corners are moved outwards, in whole pixels, (N, 4)."""
    sides = boxes[:, 2:]
    shifts = generator.uniform(0, context / 2, (2, len(boxes), 2)) * sides
    first = np.floor(boxes[:, :2] - shifts[0])
    last = np.ceil(boxes[:, :2] + sides + shifts[1])
    first = np.clip(first, 0, sizes - 1)  # a pixel is left in any case
    last = np.clip(last, first + 1, sizes)
    return np.concatenate([first, last - first], 1).astype(int)


def _background(
    table: CocoTable,
    boxes: np.ndarray,
    number: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Images, and boxes of the given ones' sizes that overlap with none."""
    found_images, found, left = [], [], number
    for _ in range(_MAX_ROUNDS):
        if left <= 0:
            break
        images = generator.integers(len(table.sizes), size=2 * left)
        sides = boxes[generator.integers(len(boxes), size=2 * left), 2:]
        room = table.sizes[images] - sides
        fits = (room >= 0).all(1)
        images, sides, room = images[fits], sides[fits], room[fits]
        proposals = np.concatenate(
            [generator.integers(0, room + 1), sides], axis=1
        )
        free = ~_overlaps(table, images, proposals)
        found_images.append(images[free][:left])
        found.append(proposals[free][:left])
        left -= len(found[-1])
    if left > 0:
        print_log(
            f'{table.file}: {number - left} of {number} parts without an '
            'object were found; boxes nearly fill the images.',
            logger='current',
            level=logging.WARNING,
        )
    return (
        np.concatenate([np.empty(0, int), *found_images]),
        np.concatenate([np.empty((0, 4), int), *found]),
    )


def _overlaps(
    table: CocoTable, images: np.ndarray, proposals: np.ndarray
) -> np.ndarray:
    """Which of the proposals overlap with a box of their image, (K,)."""
    order = np.argsort(table.image_index, kind='stable')
    counts = np.bincount(table.image_index, minlength=len(table.sizes))
    starts = np.cumsum(counts) - counts
    # Every pair of a proposal and a box of its image, one behind another.
    each = counts[images]
    proposal = np.repeat(np.arange(len(images)), each)
    place = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    box = table.boxes[order[np.repeat(starts[images], each) + place]]
    other = proposals[proposal]
    meet = (
        (box[:, :2] < other[:, :2] + other[:, 2:])
        & (other[:, :2] < box[:, :2] + box[:, 2:])
    ).all(1)
    overlapping = np.zeros(len(images), bool)
    overlapping[proposal[meet]] = True
    return overlapping
