"""Result files that cannot be held against annotations are told."""

import json

import numpy as np
import pytest
from made_up_detections import index, make_annotations, make_results

from mmselfemd.comparison import read_annotations, read_results
from mmselfemd.errors import UserError


@pytest.fixture
def content():
    return make_annotations(np.random.default_rng(0), num_images=5)


@pytest.fixture
def results(content):
    return make_results(np.random.default_rng(1), content)


def read(tmp_path, content, results):
    path = tmp_path / 'found.json'
    path.write_text(
        results if isinstance(results, str) else json.dumps(results)
    )
    return read_results(path, index(content))


def test_results_are_read_without_what_is_not_needed(
    tmp_path, content, results
):
    extended = [dict(each, segmentation='?', area=0) for each in results]
    assert read(tmp_path, content, extended) == results
    assert read(tmp_path, content, []) == []


def test_annotations_are_mended_as_for_a_run(tmp_path, content, logged):
    del content['annotations'][0]['iscrowd']
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(content))
    annotations = read_annotations(path)
    assert annotations.dataset['annotations'][0]['iscrowd'] == 0
    assert 'iscrowd-missing' in '\n'.join(logged)
    content['annotations'][0]['category_id'] = 99
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='category-id-unknown'):
        read_annotations(path)


def changed(**values):
    return lambda results: results[1].update(values)


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (changed(score=float('nan')), 'no finite number in 1 of'),
        (changed(score='0.5'), "result 1: score '0.5'; expected a number"),
        (changed(score=None), 'result 1: score None'),
        (changed(bbox=[1, 2, 3]), r'result 1: bbox \[1, 2, 3\]; .* four'),
        (changed(bbox=[1, 2, -3, 4]), 'sides not negative'),
        (changed(bbox=[1, 2, float('inf'), 4]), 'in finite numbers'),
        (changed(image_id='7'), "result 1: image_id '7'; expected an integer"),
        (changed(image_id=9999), r'image_id \[9999\] is not'),
        (changed(category_id=0), r'category_id \[0\] is not; .*labels'),
        (lambda results: results[1].pop('score'), 'result 1: score None'),
        (lambda results: results[1].pop('bbox'), 'masks alone'),
        (changed(image_id=10**30), 'image_id 10+; expected an integer'),
        (changed(score=10**400), 'result 1: score 1000'),
    ],
)
def test_what_is_wrong_and_where(tmp_path, content, results, change, words):
    change(results)
    with pytest.raises(UserError, match=words) as caught:
        read(tmp_path, content, results)
    assert 'found.json' in str(caught.value)


def test_results_of_wholly_other_images(tmp_path, content, results):
    for each in results:
        each['image_id'] += 10_000
    with pytest.raises(UserError, match='none of its .* another split'):
        read(tmp_path, content, results)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('{', 'is not JSON'),
        ('{"a": 1}', 'not a list of results'),
        ('[1, 2]', 'not a list of results'),
        ('{"images": [], "annotations": []}', 'this is an annotation file'),
    ],
)
def test_other_files(tmp_path, content, text, words):
    with pytest.raises(UserError, match=words):
        read(tmp_path, content, text)


def test_a_file_that_is_not_there(tmp_path, content):
    with pytest.raises(UserError, match='is a folder'):
        read_results(tmp_path, index(content))
    with pytest.raises(UserError, match='no such result file'):
        read_results(tmp_path / 'none.json', index(content))
