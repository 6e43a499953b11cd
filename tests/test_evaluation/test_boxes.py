"""Boxes cut from images."""

import json

import cv2
import numpy as np
import pytest

from mmselfemd.errors import UserError
from mmselfemd.evaluation import cut_boxes

CATEGORIES = [dict(id=7, name='red'), dict(id=3, name='blue')]


def annotation(number, image_id, category_id, bbox, **more):
    return dict(
        id=number,
        image_id=image_id,
        category_id=category_id,
        bbox=bbox,
        area=bbox[2] * bbox[3],
        **more,
    )


@pytest.fixture
def photos_of_two(tmp_path):
    """Two images, red left and blue right, with good and bad boxes."""
    for name in ('a.png', 'b.png'):
        image = np.zeros((40, 60, 3), np.uint8)
        image[:, :30, 2] = 255  # BGR
        image[:, 30:, 0] = 255
        cv2.imwrite(str(tmp_path / name), image)
    content = dict(
        images=[
            dict(id=1, file_name='a.png', width=60, height=40),
            dict(id=2, file_name='b.png', width=60, height=40),
        ],
        categories=CATEGORIES,
        annotations=[
            annotation(1, 2, 3, [30, 0, 30, 40]),
            annotation(2, 1, 7, [0.4, 5.3, 29, 20]),
            annotation(3, 1, 3, [31, 3, 10, 8], iscrowd=0, ignore=0),
            annotation(4, 1, 3, [31, 3, 10, 7.9]),  # low
            annotation(5, 1, 3, [55, 0, 30, 30]),  # narrow in the image
            annotation(6, 1, 3, [31, 0, 20, 20], iscrowd=1),
            annotation(7, 1, 3, [31, 0, 20, 20], ignore=1),
            annotation(8, 2, 7, [-10, -10, 30, 30]),  # 20 x 20 in the image
        ],
    )
    (tmp_path / 'boxes.json').write_text(json.dumps(content))
    return tmp_path


def test_good_boxes_are_cut_and_others_left_out(photos_of_two):
    boxes = cut_boxes(photos_of_two / 'boxes.json', photos_of_two, size=16)
    assert boxes.labels.tolist() == ['red', 'blue', 'blue', 'red']
    assert boxes.images.tolist() == ['a.png', 'a.png', 'b.png', 'b.png']
    assert boxes.crops.shape == (4, 16, 16, 3)
    assert boxes.crops.dtype == np.uint8
    colours = dict(red=[0, 0, 255], blue=[255, 0, 0])
    for crop, label in zip(boxes.crops, boxes.labels, strict=True):
        assert (crop == colours[label]).all()


def test_draw_of_boxes_is_seeded_and_a_subset(photos_of_two):
    path = photos_of_two / 'boxes.json'
    whole = cut_boxes(path, photos_of_two, size=4)
    draws = [
        cut_boxes(path, photos_of_two, 4, max_boxes=2, seed=seed)
        for seed in (0, 0, 1, 2, 3)
    ]
    assert all(len(draw.labels) == 2 for draw in draws)
    assert np.array_equal(draws[0].crops, draws[1].crops)
    kinds = {(*draw.labels, *draw.images) for draw in draws}
    assert len(kinds) > 1
    whole_kinds = set(zip(whole.labels, whole.images, strict=True))
    for draw in draws:
        assert set(zip(draw.labels, draw.images, strict=True)) <= whole_kinds
    assert len(cut_boxes(path, photos_of_two, 4, max_boxes=9).labels) == 4


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda folder: (folder / 'b.png').unlink(), 'b.png: there is no'),
        (lambda folder: (folder / 'b.png').write_text('x'), 'not decode'),
        (
            lambda folder: cv2.imwrite(
                str(folder / 'b.png'), np.zeros((20, 30, 3))
            ),
            'is 30 x 20 pixels, its annotation says 60 x 40',
        ),
        (lambda folder: (folder / 'boxes.json').unlink(), 'no such annot'),
        (lambda folder: (folder / 'boxes.json').write_text('{'), 'COCO-style'),
        (
            lambda folder: (folder / 'boxes.json').write_text('[]'),
            'COCO-style',
        ),
        (
            lambda folder: (folder / 'boxes.json').write_text('{}'),
            'holds no box',
        ),
    ],
)
def test_bad_files_are_named(photos_of_two, change, message):
    change(photos_of_two)
    with pytest.raises(UserError, match=message):
        cut_boxes(photos_of_two / 'boxes.json', photos_of_two)


@pytest.mark.parametrize(
    'part, change',
    [
        ('images', lambda image: image.pop('width')),
        ('images', lambda image: image.pop('file_name')),
        ('annotations', lambda box: box.pop('bbox')),
        ('annotations', lambda box: box.update(bbox=[1, 2])),
        ('annotations', lambda box: box.update(bbox=None)),
        ('annotations', lambda box: box.update(category_id=9)),
        ('annotations', lambda box: box.pop('image_id')),
    ],
)
def test_what_an_entry_lacks_is_said_in_words(photos_of_two, part, change):
    path = photos_of_two / 'boxes.json'
    content = json.loads(path.read_text())
    change(content[part][0])
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r'boxes\.json.*check_annotations'):
        cut_boxes(path, photos_of_two)


def test_bytes_that_are_no_text_are_no_annotations(photos_of_two):
    path = photos_of_two / 'boxes.json'
    path.write_bytes(b'\xff\xfe\0{')
    with pytest.raises(UserError, match='COCO-style'):
        cut_boxes(path, photos_of_two)
