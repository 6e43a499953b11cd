"""One file parted in two: nothing lost, nothing in both."""

import json

import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.annotations.split_file import (
    count_boxes,
    draw_groups,
    split_annotations,
)
from mmselfemd.errors import UserError


def make(tmp_path, names, categories=('cat', 'dog')):
    """A photograph of each name, with a box of each category."""
    for number, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (60, 40), (number, 0, 0)).save(path)
    content = dict(
        info=dict(year=2026),
        images=[
            dict(id=10 * n, file_name=name, width=60, height=40)
            for n, name in enumerate(names)
        ],
        annotations=[
            dict(
                id=100 * (n + 1) + c,
                image_id=10 * n,
                category_id=c,
                bbox=[5, 5, 20, 20],
                area=400,
                iscrowd=0,
            )
            for n in range(len(names))
            for c in range(1, len(categories) + 1)
        ],
        categories=[
            dict(id=c, name=name) for c, name in enumerate(categories, 1)
        ],
    )
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(content))
    return file, content


def test_all_come_into_one_part(tmp_path):
    file, content = make(tmp_path, [f'{n}.png' for n in range(20)])
    for seed in range(5):
        parts = split_annotations(file, tmp_path, val=0.3, seed=seed)
        assert [len(part['images']) for part in parts] == [14, 6]
        for field in ('images', 'annotations'):
            both = [each for part in parts for each in part[field]]
            assert sorted(each['id'] for each in both) == [
                each['id'] for each in content[field]
            ]
        for part in parts:
            assert part['categories'] == content['categories']
            assert part['info'] == content['info']
            ids = {image['id'] for image in part['images']}
            assert {a['image_id'] for a in part['annotations']} == ids
            count = len(part['images'])
            assert count_boxes(part) == dict(cat=count, dog=count)


def test_the_seed_decides(tmp_path):
    file, _ = make(tmp_path, [f'{n}.png' for n in range(20)])
    first, again, other = (
        split_annotations(file, tmp_path, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_one_photograph_twice_is_in_one_part(tmp_path):
    file, _ = make(tmp_path, [f'{n}.png' for n in range(8)])
    for n in (1, 4, 7):
        (tmp_path / f'{n}.png').write_bytes((tmp_path / '0.png').read_bytes())
    for seed in range(20):
        train, _ = split_annotations(file, tmp_path, 0.5, seed)
        names = {image['file_name'] for image in train['images']}
        assert len(names & {f'{n}.png' for n in (0, 1, 4, 7)}) in (0, 4)


def test_folders_stay_together(tmp_path):
    names = [f'film{n % 5}/{n}.png' for n in range(20)]
    file, _ = make(tmp_path, names)
    parts = split_annotations(file, tmp_path, 0.4, by_folder=True)
    folders = [
        {image['file_name'].split('/')[0] for image in part['images']}
        for part in parts
    ]
    assert not folders[0] & folders[1]
    assert [len(part['images']) for part in parts] == [12, 8]


def test_folders_that_share_a_photograph_stay_together_too(tmp_path):
    names = [f'film{n % 4}/{n}.png' for n in range(16)]
    file, _ = make(tmp_path, names)
    (tmp_path / names[1]).write_bytes((tmp_path / names[2]).read_bytes())
    for seed in range(10):
        train, val = split_annotations(file, tmp_path, 0.5, seed, True)
        assert len(train['images']) == len(val['images']) == 8
        folders = {i['file_name'].split('/')[0] for i in val['images']}
        assert len(folders & {'film1', 'film2'}) in (0, 2)


@pytest.mark.parametrize('share', [0.001, 0.1, 0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize('sizes', [(1, 1), (9, 1), (900, 100), (3, 3, 3, 1)])
def test_neither_part_is_empty_and_no_group_more_or_less_is_nearer(
    sizes, share
):
    groups = [g for g, size in enumerate(sizes) for _ in range(size)]
    wanted = share * len(groups)
    for seed in range(10):
        drawn = draw_groups(groups, share, seed)
        assert 0 < drawn.sum() < len(groups)
        chosen = {g for g, is_in in zip(groups, drawn, strict=True) if is_in}
        assert drawn.sum() == sum(sizes[g] for g in chosen)
        if len(sizes) > 2 and 1 < len(chosen) < len(sizes) - 1:
            for g, size in enumerate(sizes):
                if g not in chosen:
                    more = drawn.sum() + size
                    assert abs(more - wanted) >= abs(drawn.sum() - wanted)
    if sizes == (900, 100):
        assert min(drawn.sum(), 1000 - drawn.sum()) == 100
        assert (drawn.sum() == 100) == (share < 0.5) or share == 0.5


def test_one_draw_is_as_likely_as_another():
    counts = sum(
        draw_groups(range(10), 0.3, seed).astype(int) for seed in range(2000)
    )
    assert counts.sum() == 6000
    # Binomial: 600, with a standard deviation of 20.
    assert np.abs(counts - 600).max() < 100


@pytest.mark.parametrize('share', [0, 1, -0.5, 30, float('nan')])
def test_a_share_is_between_0_and_1(tmp_path, share):
    file, _ = make(tmp_path, ['1.png', '2.png'])
    with pytest.raises(UserError, match='--val .* above 0 and below 1'):
        split_annotations(file, tmp_path, share)


def test_what_cannot_be_parted_is_said(tmp_path):
    file, content = make(tmp_path, ['a/1.png', 'a/2.png'])
    with pytest.raises(UserError, match='of one group'):
        split_annotations(file, tmp_path, by_folder=True)
    content['annotations'][0]['category_id'] = 99
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match='category-id-unknown'):
        split_annotations(file, tmp_path)
    content['annotations'][0]['category_id'] = 1
    file.write_text(json.dumps(content))
    (tmp_path / 'a/2.png').unlink()
    with pytest.raises(UserError, match='no such image file'):
        split_annotations(file, tmp_path)
