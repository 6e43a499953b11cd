"""The data of a comparison are apart, or nothing begins."""

import json
import shutil

import pytest
from made_up_photographs import write_all

from mmselfemd.comparison.data import nested_subsets, read_data
from mmselfemd.errors import UserError


@pytest.fixture
def places(tmp_path):
    return write_all(tmp_path)


def test_what_is_read(places):
    data = read_data(**places)
    assert len(data.unlabelled) == 8
    assert (data.train.num_images, data.val.num_images) == (8, 6)
    assert data.classes == ('dark', 'light')


def test_val_photographs_among_the_unlabelled_are_named(places):
    # Another name, the same content; and a copy of a labelled one, as usual.
    copy = places['images'] / 'holiday.png'
    shutil.copy(places['val_images'] / 'val_3.png', copy)
    shutil.copy(places['train_images'] / 'train_1.png', places['images'])
    with pytest.raises(UserError, match='1 photograph .*holiday.png') as error:
        read_data(**places)
    assert '--leave-out-val' in str(error.value)
    data = read_data(**places, leave_out_val=True)
    assert 'holiday.png' not in data.unlabelled
    assert 'train_1.png' in data.unlabelled
    assert len(data.unlabelled) == 9


def test_val_photographs_in_train_are_refused(places):
    same = places['train_images'] / 'train_2.png'
    shutil.copy(places['val_images'] / 'val_1.png', same)
    with pytest.raises(UserError, match='image-in-train'):
        read_data(**places, leave_out_val=True)


def test_boxes_that_the_check_refuses_are_refused(places):
    content = json.loads(places['train'].read_text())
    content['annotations'][0]['category_id'] = 9
    places['train'].write_text(json.dumps(content))
    with pytest.raises(UserError, match='annotations cannot be used'):
        read_data(**places)


def test_what_is_mended_is_mended_in_what_runs_read(places):
    content = json.loads(places['val'].read_text())
    del content['annotations'][0]['iscrowd']
    places['val'].write_text(json.dumps(content))
    data = read_data(**places)
    assert data.val.content['annotations'][0]['iscrowd'] == 0
    assert 'Mended' in data.said


def test_missing_folders_are_named(places, tmp_path):
    with pytest.raises(UserError, match='nowhere'):
        read_data(**places | dict(images=tmp_path / 'nowhere'))
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError, match='no image below'):
        read_data(**places | dict(images=tmp_path / 'empty'))


def test_smaller_shares_lie_inside_the_larger_ones(places):
    train = read_data(**places).train
    subsets = nested_subsets(train, [0.25, 0.5, 1.0])
    ids = {
        fraction: {image['id'] for image in each.content['images']}
        for fraction, each in subsets.items()
    }
    assert [len(each) for each in ids.values()] == [2, 4, 8]
    assert ids[0.25] < ids[0.5] < ids[1.0]
    for fraction, each in subsets.items():
        of = {box['image_id'] for box in each.content['annotations']}
        assert of == ids[fraction]
        assert each.content['categories'] == train.content['categories']
    assert nested_subsets(train, [0.5])[0.5] == subsets[0.5]
    others = nested_subsets(train, [0.5], seed=1)[0.5]
    assert others.content['images'] != subsets[0.5].content['images']


@pytest.mark.parametrize('fractions', [[0.0], [1.5], [0.5, 0.5]])
def test_no_share_is_none(places, fractions):
    with pytest.raises(UserError, match='--fractions'):
        nested_subsets(read_data(**places).train, fractions)
