"""Values of any type and size where a file should have something else."""

import gzip
import json
import time

import numpy as np
import pytest

from mmselfemd.datasets.annotations import (
    Usage,
    check_content,
    check_file,
    check_usages,
)
from mmselfemd.datasets.annotations.classes import check_classes
from mmselfemd.errors import UserFileNotFoundError

HUGE = 10**4000
DEEP = {'a': [[[[[[['x' * 10_000] * 100]]]]]]}


@pytest.mark.parametrize('part', ['images', 'categories', 'annotations'])
@pytest.mark.parametrize('number', [-(2**63), 2**63 - 1, 2**63, HUGE])
def test_an_id_of_64_bits_and_more_is_told(labels, part, number):
    labels.content[part][0]['id'] = number
    found = labels.check()
    assert str(number)[:9] in found['id-not-integer'].places[0]


@pytest.mark.filterwarnings('error')
def test_boxes_beyond_the_largest_number_are_told_without_a_warning(labels):
    labels.content['annotations'][0]['bbox'] = [1e308] * 4
    labels.content['annotations'][1]['bbox'] = [float('inf'), 1, 2, 3]
    assert len(labels.check()['box-not-finite'].places) == 2


@pytest.mark.parametrize('value', [HUGE, DEEP, 'x' * 100_000])
@pytest.mark.parametrize(
    ('part', 'name'),
    [
        ('images', 'id'),
        ('images', 'width'),
        ('annotations', 'image_id'),
        ('annotations', 'bbox'),
        ('annotations', 'iscrowd'),
        ('categories', 'id'),
    ],
)
def test_what_is_told_is_no_longer_than_a_few_lines(labels, part, name, value):
    for item in labels.content[part]:
        item[name] = value
    text = check_file(labels.write(), str(labels.images)).text()
    assert 100 < len(text) < 2000


def test_a_list_of_other_things_is_told_in_short(labels):
    labels.content['images'] = ['x' * 100_000, HUGE]
    assert all(len(p) < 200 for p in labels.check()['not-coco'].places)


@pytest.mark.parametrize(
    'classes',
    [5, (0, 1), {'cat': 0}, {'cat'}, (['cat'], ['dog']), 'cat', ('cat', None)],
)
def test_classes_that_are_no_list_of_names(labels, classes):
    usage = Usage('train', labels.write(), classes=classes)
    found = {f.kind.name: f for f in check_usages([usage], {'head': 2})}
    assert found.keys() == {'classes-string'}
    assert repr(classes) in found['classes-string'].places[0]


def test_classes_of_a_text_in_the_function_for_one_file(labels):
    assert 'classes-string' in labels.check(classes='cat')


def test_the_time_does_not_grow_with_the_square_of_the_classes(labels):
    """Half a minute for 1,203 names if each is compared with each."""
    labels.content['categories'] = [
        dict(id=n, name=f'thing of the number {n}') for n in range(1, 1204)
    ]
    table, _ = check_content(labels.content, 'x.json')
    started = time.process_time()
    names = [f'object by the number {n}' for n in range(1203)]
    (finding,) = [
        f
        for f in check_classes(table, names, table.category_names)
        if f.kind.name == 'class-unknown'
    ]
    assert len(finding.places) == 1203
    assert 'there is' in str(finding) or 'there are' in str(finding)
    assert time.process_time() - started < 3


def test_places_are_those_of_the_rows_asked_for(labels):
    table, _ = check_content(labels.content, 'x.json')
    table.boxes[20] = [1.2345, 2, 3, 4]
    assert table.places(np.array([20, 9])) == [
        "annotation 21 of image 3 ('3.jpg', 120 x 80): "
        'bbox [1.23, 2.0, 3.0, 4.0]',
        table.places(np.array([9]))[0],
    ]


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (b'', 'the file is empty'),
        (gzip.compress(b'{}', mtime=0), 'gzip: unpack it'),
        ('{}'.encode('utf-16'), 'UTF-16: save it as UTF-8'),
        (b'PK\x03\x04', 'ZIP archive'),
        (b'<!DOCTYPE html>', 'XML or a web page'),
        (b'version https://git-lfs.github.com/spec/v1', 'git lfs pull'),
        (b'\xff\xd8\xff\xe0', 'an image'),
    ],
)
def test_a_file_of_another_format_is_named(labels, content, words):
    labels.file.write_bytes(content)
    (finding,) = check_file(str(labels.file))
    assert finding.kind.name == 'not-json'
    assert words in finding.places[0]


def test_a_folder_is_no_annotation_file(labels):
    with pytest.raises(UserFileNotFoundError, match='is a folder'):
        check_file(str(labels.images))


def test_a_list_that_is_there_twice(labels):
    """Two files put into one by hand: Python keeps the last list alone."""
    text = json.dumps(labels.content)
    labels.file.write_text(f'{text[:-1]}, "annotations" : []}}')
    (finding,) = check_file(str(labels.file))
    assert finding.kind.name == 'not-coco'
    assert finding.places == ('"annotations" is there 2 times',)


def test_the_name_of_a_list_deeper_in_the_file_is_no_fault(labels):
    labels.content['info'] = dict(images=6, categories='"annotations": 7')
    labels.content['images'][0]['annotations'] = [dict(annotations=[])]
    assert labels.check() == {}
