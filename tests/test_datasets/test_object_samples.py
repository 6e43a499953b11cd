"""What is cut from the images of a COCO file."""

import json

import numpy as np
import pytest

from mmselfemd.datasets.annotations import check_content
from mmselfemd.datasets.object_samples import object_samples
from mmselfemd.errors import UserValueError

WIDTH, HEIGHT = 320, 240
CLASSES = ('cat', 'dog')


def content(boxes, num_images=10, **more):
    """Boxes (image, category, x, y, width, height), ids from 1."""
    return dict(
        images=[
            dict(id=n, file_name=f'{n}.jpg', width=WIDTH, height=HEIGHT)
            for n in range(1, num_images + 1)
        ],
        annotations=[
            dict(
                id=n,
                image_id=image,
                category_id=category,
                bbox=box,
                area=box[2] * box[3],
                iscrowd=0,
            )
            | more.get(f'of_{n}', {})
            for n, (image, category, *box) in enumerate(boxes, 1)
        ],
        categories=[
            dict(id=n, name=name)
            for n, name in enumerate((*CLASSES, 'other'), 1)
        ],
    )


def samples(boxes, num_images=10, of=None, **options):
    table, findings = check_content(
        json.loads(json.dumps(content(boxes, num_images, **(of or {})))), 'f'
    )
    assert not findings.stops
    return object_samples(table, CLASSES, **options)


def some_boxes(number=200):
    generator = np.random.default_rng(0)
    return [
        [
            int(generator.integers(1, 11)),
            int(generator.integers(1, 3)),
            *generator.uniform(0, (200, 150)).round(2).tolist(),
            *generator.uniform(10, (60, 50)).round(2).tolist(),
        ]
        for _ in range(number)
    ]


def test_context_grows_each_side_to_its_double_at_the_most():
    boxes = some_boxes()
    found = samples(boxes, background=0)
    wanted = np.array([box[2:] for box in boxes])
    assert found.labels.tolist() == [box[1] - 1 for box in boxes]
    assert found.image_index.tolist() == [box[0] - 1 for box in boxes]
    first, last = found.boxes[:, :2], found.boxes[:, :2] + found.boxes[:, 2:]
    # Each corner moves outwards, by half of the side at the most.
    moved = [wanted[:, :2] - first, last - wanted[:, :2] - wanted[:, 2:]]
    inner = (first > 0).all(1) & (last < (WIDTH, HEIGHT)).all(1)
    for shift in moved:
        assert (shift >= 0).all()
        assert (shift <= wanted[:, 2:] / 2 + 1).all()
        share = (shift / wanted[:, 2:])[inner]
        assert share.std() > 0.1 and 0.15 < share.mean() < 0.35
    assert (first >= 0).all() and (last <= (WIDTH, HEIGHT)).all()


def test_without_context_it_is_the_box_in_whole_pixels():
    found = samples([(1, 1, 10.4, 20.6, 30.3, 20.0)], context=0, background=0)
    assert found.boxes.tolist() == [[10, 20, 31, 21]]


def test_context_ends_at_the_border():
    found = samples([(1, 1, 0, 0, WIDTH, HEIGHT)] * 3, background=0)
    assert found.boxes.tolist() == [[0, 0, WIDTH, HEIGHT]] * 3


def test_crowds_ignored_tiny_and_unnamed_boxes_are_no_samples():
    boxes = [
        (1, 1, 10, 10, 50, 50),
        (2, 1, 10, 10, 50, 50),  # crowd
        (3, 1, 10, 10, 50, 50),  # ignored
        (4, 1, 10, 10, 50, 7.9),  # too low
        (5, 3, 10, 10, 50, 50),  # of no class
        (6, 2, 10, 10, 8, 8),
    ]
    of = dict(of_2=dict(iscrowd=1), of_3=dict(ignore=1))
    found = samples(boxes, of=of, background=0)
    assert found.image_index.tolist() == [0, 5]
    assert found.labels.tolist() == [0, 1]
    assert len(samples(boxes, of=of, background=0, min_size=7)) == 3


def test_background_overlaps_with_no_box():
    boxes = some_boxes()
    crowd = dict(of_1=dict(iscrowd=1), of_2=dict(ignore=1))
    found = samples(boxes, num_images=13, of=crowd, background=0.5)
    is_background = found.labels == len(CLASSES)
    assert is_background.sum() == 99  # half of 198
    assert not is_background[:198].any()
    # Of the sizes of objects, in images with and without boxes.
    sizes = {tuple(size) for size in found.boxes[:198, 2:].tolist()}
    negatives = found.select(np.flatnonzero(is_background))
    assert {tuple(s) for s in negatives.boxes[:, 2:].tolist()} <= sizes
    assert {10, 11, 12} <= set(negatives.image_index.tolist())
    assert len(set(negatives.image_index.tolist())) > 5
    for image, (left, top, width, height) in zip(
        negatives.image_index.tolist(), negatives.boxes.tolist(), strict=True
    ):
        assert 0 <= left <= WIDTH - width and 0 <= top <= HEIGHT - height
        for other, _, x, y, w, h in boxes:
            if other == image + 1:
                assert (
                    x + w <= left
                    or left + width <= x
                    or y + h <= top
                    or top + height <= y
                )


def test_ten_objects_have_one_background():
    assert (samples(some_boxes(100)).labels == len(CLASSES)).sum() == 10


def test_images_without_room_have_less_background(logged):
    boxes = [(n, 1, 0, 0, WIDTH, HEIGHT) for n in range(1, 11)]
    assert len(samples(boxes, background=1.0)) == 10
    assert any('0 of 10 parts without an object' in line for line in logged)


def test_the_seed_decides():
    boxes = some_boxes()
    first, again, other = (samples(boxes, seed=s) for s in (0, 0, 1))
    for a, b in zip(first.buffers, again.buffers, strict=True):
        assert np.array_equal(a, b)
    assert not np.array_equal(first.boxes, other.boxes)


def test_nothing_to_cut_out_is_said():
    with pytest.raises(UserValueError, match='of 1 box none .* 60 pixels'):
        samples([(1, 1, 10, 10, 50, 50)], min_size=60)
