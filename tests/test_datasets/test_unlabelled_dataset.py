"""Folders of images, whole and broken."""

import struct
import zlib

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmselfemd.datasets import LoadImage, UnlabelledDataset

LOAD = [dict(type='LoadImage')]


def names(dataset):
    return sorted(
        dataset.get_data_info(i)['img_path'].rsplit('/', 1)[-1]
        for i in range(len(dataset))
    )


def test_every_image_below_the_folder(image_folder, our_scope):
    dataset = UnlabelledDataset(str(image_folder), pipeline=LOAD)
    assert names(dataset) == [f'{i}.jpg' for i in range(8)]
    item = dataset[0]
    assert item['img'].shape == (120, 160, 3)
    assert np.array_equal(item['img'], cv2.imread(item['img_path']))
    assert item['ori_shape'] == (120, 160) and 'gt_label' not in item


def test_a_list_file_names_the_images(image_folder, tmp_path, our_scope):
    (tmp_path / 'list.txt').write_text('1.jpg\nmore/7.jpg\n')
    dataset = UnlabelledDataset(
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=str(image_folder),
        pipeline=LOAD,
    )
    assert names(dataset) == ['1.jpg', '7.jpg']
    assert dataset[1]['img'].shape == (120, 160, 3)


def test_missing_and_empty_are_named(tmp_path):
    missing = str(tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match=f'{missing}.*not exist.*data'):
        UnlabelledDataset(missing)
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty' / 'note.txt').write_text('no image')
    with pytest.raises(FileNotFoundError, match='no image below') as raised:
        UnlabelledDataset(str(tmp_path / 'empty'))
    # It does not know of which loader it is.
    for loader in ('train_dataloader', 'val_dataloader'):
        assert f'{loader}.dataset.data_root=DIR' in str(raised.value)
    with pytest.raises(FileNotFoundError, match='list file .* not exist'):
        UnlabelledDataset(str(tmp_path), ann_file='list.txt')
    (tmp_path / 'list.txt').write_text('')
    with pytest.raises(FileNotFoundError, match='is empty'):
        UnlabelledDataset(str(tmp_path), ann_file='list.txt')


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_a_folder_is_in_the_order_of_its_sorted_paths(tmp_path):
    wanted = [
        'a/z.jpg',
        'a-b/1.PNG',
        'a.jpg',
        'a0/b/c.jpg',
        'a0/b.jpg',
        'Z.JPG',
    ]
    for name in (*wanted, 'a/note.txt', '.hidden.jpg'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'a' / 'nowhere.jpg').symlink_to(tmp_path / 'gone')
    found = paths(UnlabelledDataset(str(tmp_path)))
    assert found == sorted(str(tmp_path / name) for name in wanted)


def test_some_images_from_the_whole_of_a_folder(image_folder):
    everything = paths(UnlabelledDataset(str(image_folder)))
    assert len(everything) > 6
    found = UnlabelledDataset(str(image_folder), every=3, indices=2)
    assert paths(found) == everything[0:6:3]
    with pytest.raises(ValueError, match='every=0'):
        UnlabelledDataset(str(image_folder), every=0)


def test_several_folders_follow_each_other(image_folder, tmp_path):
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'x.jpg').touch()
    dataset = UnlabelledDataset(
        str(tmp_path), data_prefix=['other', 'images/more/', str(image_folder)]
    )
    assert paths(dataset) == [
        str(other / 'x.jpg'),
        str(image_folder / 'more' / '6.jpg'),
        str(image_folder / 'more' / '7.jpg'),
        *paths(UnlabelledDataset(str(image_folder))),
    ]
    (other / 'x.jpg').unlink()
    with pytest.raises(FileNotFoundError, match="no image below '.*other'"):
        UnlabelledDataset(str(tmp_path), data_prefix=['images', 'other'])


def test_lists_with_one_folder_or_a_folder_each(image_folder, tmp_path):
    more = image_folder / 'more'
    # As VOC's: without the ending. Windows' line ends, blank lines.
    (tmp_path / 'first.txt').write_text('3\r\n\r\n1\r\n')
    (tmp_path / 'second.txt').write_text(f'7\n{image_folder}/0\n')
    lists = ['first.txt', 'second.txt']
    both = UnlabelledDataset(
        str(tmp_path),
        data_prefix=['images', 'images/more'],
        ann_file=lists,
        img_suffix='.jpg',
    )
    wanted = [
        str(path)
        for path in (
            image_folder / '3.jpg',
            image_folder / '1.jpg',
            more / '7.jpg',
            image_folder / '0.jpg',  # an absolute line stays as it is
        )
    ]
    assert paths(both) == wanted
    (tmp_path / 'second.txt').write_text('more/7\n0\n')
    one = UnlabelledDataset(
        str(tmp_path), data_prefix='images', ann_file=lists, img_suffix='.jpg'
    )
    assert paths(one) == wanted
    mixed = UnlabelledDataset(
        str(tmp_path),
        data_prefix=['images', 'images/more'],
        ann_file=['first.txt', ''],
        img_suffix='.jpg',
    )
    assert paths(mixed) == [*wanted[:2], str(more / '6.jpg'), wanted[2]]
    with pytest.raises(ValueError, match='3 folders .* 2 list files'):
        UnlabelledDataset(
            str(tmp_path), data_prefix=['images'] * 3, ann_file=lists
        )


def test_a_list_that_does_not_fit_the_files_is_refused(image_folder, tmp_path):
    def build(*lines):
        (tmp_path / 'list.txt').write_text('\n'.join(lines))
        return UnlabelledDataset(
            str(image_folder), ann_file=str(tmp_path / 'list.txt')
        )

    with pytest.raises(
        FileNotFoundError, match=r"list.txt' names '.*/1', .*1 of 1 names"
    ):
        build('1')
    with pytest.raises(FileNotFoundError, match='without a label'):
        build('1.jpg 0', '2.jpg 0')
    with pytest.raises(FileNotFoundError, match='gone/1.jpg'):
        build(*['0.jpg'] * 500, *['gone/1.jpg'] * 500)
    # A few missing ones are broken images like others.
    assert len(build(*['0.jpg'] * 990, *['gone.jpg'] * 10)) == 1000


def test_a_subset_is_that_of_any_data_set(image_folder, our_scope):
    whole = UnlabelledDataset(str(image_folder), pipeline=LOAD)
    for indices in (3, -3, [5, 0, -1]):
        numbers = (
            list(range(8))[:indices]
            if indices == 3
            else list(range(8))[indices:]
            if indices == -3
            else indices
        )
        wanted = [paths(whole)[number] for number in numbers]
        part = UnlabelledDataset(
            str(image_folder), pipeline=LOAD, indices=indices
        )
        assert paths(part) == paths(whole.get_subset(indices)) == wanted
        assert part[0]['img_path'] == wanted[0]
        in_place = UnlabelledDataset(str(image_folder))
        in_place.get_subset_(indices)
        assert paths(in_place) == wanted
    assert len(whole) == 8
    assert whole.get_data_info(-1)['sample_idx'] == 7
    lazy = UnlabelledDataset(str(image_folder), lazy_init=True)
    assert not len(lazy.data_list) and len(lazy) == 8


def png_that_claims(width, height):
    """A PNG whose header says so, with nothing behind it."""
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    chunk = b'IHDR' + header
    crc = struct.pack('>I', zlib.crc32(chunk))
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + crc


def test_a_broken_image_is_logged_and_replaced(
    image_folder, our_scope, logged
):
    whole = (image_folder / '3.jpg').read_bytes()
    broken = {
        '0.jpg': b'',
        '1.jpg': b'not an image',
        '2.jpg': whole[:200],
        '4.jpg': png_that_claims(60000, 60000),
    }
    for name, content in broken.items():
        (image_folder / name).write_bytes(content)
    dataset = UnlabelledDataset(str(image_folder), pipeline=LOAD)
    items = [dataset[i] for i in range(len(dataset))]
    assert len(items) == 8
    for name in broken:
        assert not any(item['img_path'].endswith('/' + name) for item in items)
        assert any(
            name in line and 'takes its place' in line for line in logged
        )


def test_the_log_of_broken_images_is_bounded(tmp_path, logged):
    load = LoadImage(max_warnings=2)
    for index in range(5):
        assert load(dict(img_path=str(tmp_path / f'{index}.jpg'))) is None
    assert load.broken.num_broken == 5 and len(logged) == 2
    assert 'in silence' in logged[-1]


@pytest.mark.parametrize('num_workers', [0, 2])
def test_with_a_seed_an_image_has_the_same_views_each_time(
    image_folder, our_scope, num_workers
):
    (image_folder / '1.jpg').write_bytes(b'broken')
    cut = dict(type='CutViews', views=[dict(size=8, photometric=[])])

    def views(seed):
        dataset = UnlabelledDataset(
            str(image_folder), seed=seed, pipeline=[*LOAD, cut]
        )
        loader = DataLoader(
            dataset, num_workers=num_workers, collate_fn=lambda batch: batch[0]
        )
        return [(item['img_path'], item['views']) for item in loader]

    first = views(3)
    assert views(3) == first != views(4)
    # Of the eight one is broken, and another one stands in for it.
    assert len({str(view) for _, view in first}) == 8
    assert len({path for path, _ in first}) == 7


def test_with_a_seed_an_image_is_counted_from_the_end_too(
    image_folder, our_scope
):
    cut = dict(type='CutViews', views=[dict(size=8, photometric=[])])
    dataset = UnlabelledDataset(
        str(image_folder), seed=3, pipeline=[*LOAD, cut]
    )
    last, same = dataset[len(dataset) - 1], dataset[-1]
    assert (same['img_path'], same['views']) == (
        last['img_path'],
        last['views'],
    )
    for number in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError):
            dataset[number]


def test_a_seed_leaves_the_generators_alone(image_folder, our_scope):
    cut = dict(type='CutViews', views=[dict(size=8, photometric=[])])
    dataset = UnlabelledDataset(
        str(image_folder), seed=0, pipeline=[*LOAD, cut]
    )
    torch_state = torch.get_rng_state()
    np.random.seed(0)
    following = np.random.rand()
    np.random.seed(0)
    dataset[0]
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.rand() == following
