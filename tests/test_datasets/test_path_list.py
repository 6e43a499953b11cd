"""The compact list behaves like a list of str, and stays shared."""

import copy
import os
import pickle

import pytest

from mmselfemd.datasets.path_list import PathList

PATHS = [
    'data/coco/train2017/000001.jpg',
    'data/coco/unlabeled2017/ä ö/语.jpg',
    '/elsewhere/image.png',
    'data/coco/',
    os.fsdecode(b'data/coco/not-utf8-\xff.jpg'),
    'data/co',
]


@pytest.mark.parametrize('root', ['', 'data/coco/', '/'])
def test_gives_back_what_went_in(root):
    paths = PathList(iter(PATHS), root)
    assert len(paths) == len(PATHS) and list(paths) == PATHS
    for index in range(-len(PATHS), len(PATHS)):
        assert paths[index] == PATHS[index]
    for index in (len(PATHS), -len(PATHS) - 1):
        with pytest.raises(IndexError, match='path .* of 6'):
            paths[index]
    assert list(pickle.loads(pickle.dumps(paths))) == PATHS
    assert list(copy.deepcopy(paths)) == PATHS


def test_an_empty_list():
    paths = PathList([])
    assert (
        len(paths) == 0 and list(paths) == [] and list(paths.select(3)) == []
    )
    with pytest.raises(IndexError):
        paths[0]


def test_selection_is_that_of_mmengine():
    paths = PathList(PATHS, 'data/coco/')
    assert list(paths.select(2)) == PATHS[:2]
    assert list(paths.select(0)) == []
    assert list(paths.select(100)) == PATHS
    assert list(paths.select(-2)) == PATHS[-2:]
    assert list(paths.select([3, -1, 0])) == [PATHS[3], PATHS[-1], PATHS[0]]
    with pytest.raises(TypeError, match='int or a sequence'):
        paths.select(1.5)
    with pytest.raises(IndexError):
        paths.select([6])


def test_a_selection_does_not_keep_the_whole():
    paths = PathList(f'root/{index:06}.jpg' for index in range(1000))
    assert paths.select(10).nbytes * 100 == paths.nbytes


def test_a_path_costs_its_bytes_and_eight_more():
    names = [f'{index:012}.jpg' for index in range(100)]
    paths = PathList(
        (f'data/coco/train2017/{name}' for name in names),
        'data/coco/train2017/',
    )
    assert paths.nbytes == sum(len(name) + 8 for name in names)
