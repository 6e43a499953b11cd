"""Masks, where a pipeline loads them."""

import numpy as np
import pytest
from pycocotools import mask as mask_api

from mmselfemd.datasets.annotations import Usage, check_usages, checked_file
from mmselfemd.datasets.annotations.masks import is_rle

POLYGON = [10, 10, 40.5, 10, 40, 30]
WHOLE = dict(size=[80, 120], counts=[9000, 600])


@pytest.fixture
def masked(labels):
    """A correct file with masks."""
    for item in labels.content['annotations']:
        item['segmentation'] = [POLYGON]
    return labels


def found_in(labels, masks='all'):
    findings = check_usages([Usage('train', labels.write(), masks=masks)])
    found = {finding.kind.name: finding for finding in findings}
    found.pop('crowd-lost', None)  # of masks whose runs are numbers
    return found


def encoded(mask):
    rle = mask_api.encode(np.asfortranarray(mask))
    return dict(size=rle['size'], counts=rle['counts'].decode())


def test_correct_masks_pass_without_a_word(masked):
    annotations = masked.content['annotations']
    annotations[0].update(segmentation=WHOLE, iscrowd=1)
    # mmdet leaves out the part of two points, and keeps the other.
    annotations[1]['segmentation'] = [[1, 2, 3, 4], POLYGON]
    assert found_in(masked, 'polygons') == {}
    mask = np.zeros((80, 120), np.uint8)
    mask[20:50, 30:70] = 1
    annotations[2]['segmentation'] = encoded(mask)
    assert found_in(masked) == {}


@pytest.mark.parametrize(
    ('mask', 'kind'),
    [
        (None, 'mask-missing'),
        ([], 'mask-missing'),
        ({}, 'mask-missing'),
        ([[]], 'mask-broken'),
        ([[1, 2, 3, 4]], 'mask-broken'),
        ([[1, 2, 3, 4, 5, 6, 7]], 'mask-broken'),
        (POLYGON, 'mask-broken'),
        ([[[1, 2], [3, 4], [5, 6]]], 'mask-broken'),
        ([['1', '2', '3', '4', '5', '6']], 'mask-broken'),
        ([[1, 2, 3, 4, 5, float('nan')]], 'mask-broken'),
        ([[1, 2, 3, 4, 5, 10**400]], 'mask-broken'),
        ('text', 'mask-broken'),
        (WHOLE, 'mask-rle'),
    ],
)
def test_a_mask_that_does_not_load_is_told(masked, mask, kind):
    masked.content['annotations'][4]['segmentation'] = mask
    found = found_in(masked, 'polygons')
    assert found.keys() == {kind}
    assert found[kind].places[0].startswith('annotation 5: segmentation ')
    assert found_in(masked, '') == {}


def test_a_mask_of_another_images_size_is_told(masked):
    rle = dict(size=[120, 80], counts=[9000, 600])
    masked.content['annotations'][4]['segmentation'] = rle
    assert found_in(masked).keys() == {'mask-broken'}


@pytest.mark.parametrize('seed', range(5))
def test_what_pycocotools_writes_is_sound(seed):
    generator = np.random.default_rng(seed)
    sides = generator.integers(1, 300, 2)
    mask = (generator.random(sides) < (0.5, 0.01)[seed % 2]).astype(np.uint8)
    size = sides[::-1].tolist()
    rle = encoded(mask)
    assert is_rle(rle, size)
    assert not is_rle(rle, [size[0] + 1, size[1]])
    rle['counts'] = rle['counts'][:-1]
    assert not is_rle(rle, size)


@pytest.mark.parametrize(
    ('sides', 'counts'),
    [
        ([0, 0], []),
        ([80, 120], []),
        ([80, 120], [9599]),
        ([80, 120], [9600.0]),
        ([80, 120], [-5, 9605]),
        ([80, 120], [2**64, 9600 - 2**64]),
        ([80, 120], [[9600]]),
        ([80, 120], ''),
        ([80, 120], 'zzz'),
        ([80, 120], '\ud800é'),
        ([80, 120], 'o' * 50 + '1'),
        ([80, 120], 5),
        ([80, 120], None),
        ([80.0, 120.0], [9600]),
        ([80, 120, 3], [9600]),
        (['80', '120'], [9600]),
        (80, [9600]),
        ([100_000, 100_000], [10**10]),
        ([-80, -120], [9600]),
    ],
)
def test_what_pycocotools_crashes_with_is_no_mask(sides, counts):
    """With some of these the process ends by a violation of memory."""
    assert is_rle(dict(size=[80, 120], counts=[9600]), [120, 80])
    assert not is_rle(dict(size=sides, counts=counts), [120, 80])


def test_crowds_with_such_masks_are_read_without_a_crash(labels):
    for item in labels.content['annotations'][:8]:
        mask = dict(size=[10**5] * 2, counts=[10**10])
        item.update(iscrowd=1, segmentation=mask)
    assert 'crowd-simple' not in labels.check()


def test_masks_are_looked_at_after_the_data_set_has_taken_the_file(masked):
    """As in mmdet's own tools, where the data set is built first."""
    masked.content['annotations'][4]['segmentation'] = [[1, 2]]
    assert checked_file(masked.write()).take()['images']
    findings = check_usages([Usage('train', str(masked.file), masks='all')])
    assert [each.kind.name for each in findings] == ['mask-broken']
