"""Boxes cut from images, and their features."""

import json

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.models import SelfSupDataPreprocessor
from torch import nn

from mmselfemd.errors import UserError
from mmselfemd.evaluation import Boxes, cut_boxes, read_boxes
from mmselfemd.evaluation.boxes import box_features

PREPROCESSOR = SelfSupDataPreprocessor(
    mean=[10, 20, 30], std=[2, 4, 8], to_rgb=True
)
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


class Probe(nn.Module):
    """Gives the pixels back, and remembers what it was shown."""

    def __init__(self, *norms):
        super().__init__()
        self.norms = nn.Sequential(*norms)
        self.seen = []

    def __deepcopy__(self, memo):
        return self  # to look into it afterwards

    def forward(self, images):
        self.seen.append(images)
        return None, self.norms(images)


def test_feature_is_the_mean_of_the_normalised_box_in_its_own_place():
    crops = np.random.randint(0, 256, (10, 6, 6, 3), dtype=np.uint8)
    rgb = crops.mean((1, 2))[:, ::-1]
    expected = (rgb - [10, 20, 30]) / [2, 4, 8]
    for batch_size in (1, 4, 10, 64):
        probe = Probe()
        found = box_features(probe, PREPROCESSOR, crops, batch_size)
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)
        assert {len(images) for images in probe.seen} == {batch_size}


def test_batches_are_mixed_whatever_the_order_of_the_file():
    """Sorted by class, a batch norm would see one class at a time."""
    crops = np.repeat(np.arange(2, dtype=np.uint8) * 200, 64)
    crops = np.broadcast_to(crops[:, None, None, None], (128, 2, 2, 3)).copy()
    probes = [Probe(nn.BatchNorm2d(3, affine=False)) for _ in range(2)]
    found = box_features(probes[0], PREPROCESSOR, crops, 16)
    again = box_features(probes[1], PREPROCESSOR, crops, 16)
    assert torch.equal(found, again)
    for images in probes[0].seen:
        bright = int((images.mean((1, 2, 3)) > 0).sum())
        assert 2 <= bright <= 14
    # The norm has not taken away which is which.
    assert (found[:64] < 0).all() and (found[64:] > 0).all()


def test_order_of_the_batches_tells_nothing():
    """A network that sees only noise reads chance from sorted boxes."""
    labels = np.repeat(['a', 'b', 'c', 'd'], 100)

    def noise(name):
        crops = np.random.randint(0, 256, (400, 8, 8, 3), dtype=np.uint8)
        images = np.array([f'{name}{index}' for index in range(400)])
        return Boxes(crops, labels, images)

    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)
    )
    network.append(Tuple())
    reading = read_boxes(network, PREPROCESSOR, noise('t'), noise('v'), 50)
    for score in reading.figures.values():
        assert score == pytest.approx(0.25, abs=4 * 0.0217)


class Tuple(nn.Module):
    """The last map in a tuple, as backbones give it."""

    def forward(self, images):
        return (images,)


def test_statistics_and_dropout():
    crops = np.random.randint(0, 256, (12, 4, 4, 3), dtype=np.uint8)
    norm = nn.BatchNorm2d(3)
    norm.running_mean += 5
    backbone = nn.Sequential(norm, nn.Dropout(0.5), Tuple())
    state = {k: v.clone() for k, v in backbone.state_dict().items()}
    batch = box_features(backbone, PREPROCESSOR, crops, 12)
    running = box_features(
        backbone, PREPROCESSOR, crops, 12, statistics='running'
    )
    plain = box_features(Probe(), PREPROCESSOR, crops, 12)
    assert batch.mean(0).abs().max() < 1e-5
    np.testing.assert_allclose(running, plain - 5, rtol=1e-4, atol=1e-4)
    assert backbone.training  # the network itself is left as it was
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, state[name])
    with pytest.raises(ValueError, match="'batch' or 'running'"):
        box_features(backbone, PREPROCESSOR, crops, statistics='none')


@pytest.mark.parametrize(
    ('val', 'message'),
    [
        (dict(images=['y', 'x']), '1 images .* x first'),
        (dict(labels=['c', 'd']), 'no category name'),
    ],
)
def test_sets_that_cannot_be_compared(val, message):
    parts = dict(crops=np.zeros((2, 4, 4, 3), np.uint8), labels=['a', 'b'])
    train = Boxes(**{k: np.array(v) for k, v in parts.items()}, images=['x'])
    val = parts | dict(images=['y', 'z']) | val
    with pytest.raises(ValueError, match=message):
        read_boxes(Probe(), PREPROCESSOR, train, Boxes(**val))
