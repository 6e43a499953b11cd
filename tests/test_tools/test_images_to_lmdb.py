"""Images in a database: all of them, once, and as they were."""

import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from mmengine.config import Config

from mmselfemd.datasets import UnlabelledDataset, image_database
from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.datasets.image_database import images_to_lmdb
from mmselfemd.datasets.shrinking import shrink
from mmselfemd.datasets.transforms.encoded_image import decode_image
from mmselfemd.errors import UserError

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools/dataset_converters/images_to_lmdb.py'
)


def entries(out):
    with lmdb.open(str(out), readonly=True) as database:
        with database.begin() as transaction:
            return dict(transaction.cursor())


def listed(out):
    return (out / 'images.txt').read_text().splitlines()


def run_the_tool(monkeypatch, *arguments):
    scope = {'__name__': 'images_to_lmdb'}
    exec(compile(TOOL.read_text(), str(TOOL), 'exec'), scope)
    monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
    scope['main']()


def test_the_tool_stores_each_file_as_it_is(
    image_folder, tmp_path, monkeypatch, capsys, our_scope
):
    out = tmp_path / 'images.lmdb'
    (image_folder / 'broken.jpg').write_bytes(b'no image')
    (image_folder / 'empty.png').touch()
    whole = (image_folder / '0.jpg').read_bytes()
    (image_folder / 'cut.jpg').write_bytes(whole[: len(whole) // 2])
    names = [*(f'{i}.jpg' for i in range(6)), 'more/6.jpg', 'more/7.jpg']
    run_the_tool(monkeypatch, image_folder, out, '--workers', '2')
    printed = capsys.readouterr().out
    assert '8 images are in' in printed and '3 broken ones' in printed
    assert listed(out) == names
    assert entries(out) == {
        name.encode(): (image_folder / name).read_bytes() for name in names
    }
    broken = (out / 'broken.txt').read_text().splitlines()
    assert {line.split('\t')[0]: line.split('\t')[1] for line in broken} == {
        'broken.jpg': 'it does not decode',
        'cut.jpg': 'it does not decode',
        'empty.png': 'it is empty',
    }
    # What the tool prints is what reads it, from workers as well.
    for lazy in (False, True):
        load = dict(
            type='LoadImage',
            lazy=lazy,
            backend_args=dict(backend='lmdb', db_path=str(out)),
        )
        cut = dict(type='CutViews', views=[dict(size=8, photometric=[])])
        dataset = UnlabelledDataset(
            ann_file=str(out / 'images.txt'), pipeline=[load, cut], seed=0
        )
        on_disk = UnlabelledDataset(
            str(image_folder),
            ann_file=str(out / 'images.txt'),
            pipeline=[dict(type='LoadImage', lazy=lazy), cut],
            seed=0,
        )
        for index in range(8):
            assert dataset[index]['img_path'] == names[index]
            assert np.array_equal(
                dataset[index]['img'][0], on_disk[index]['img'][0]
            )


def test_a_list_and_several_sources(image_folder, tmp_path):
    (tmp_path / 'list.txt').write_text('more/7.jpg\n2.jpg\n2.jpg\n')
    out = tmp_path / 'listed'
    done = images_to_lmdb(
        [str(image_folder)], out, list_file=str(tmp_path / 'list.txt')
    )
    assert done == (2, 0)
    assert listed(out) == ['more/7.jpg', '2.jpg', '2.jpg']
    assert len(entries(out)) == 2
    other = tmp_path / 'other'
    other.mkdir()
    # mmengine's backend takes keys in ASCII alone.
    for number, name in enumerate(['B%C3%A4r.jpg', 'Bär.jpg', 'a 1.jpg']):
        content = (image_folder / f'{number}.jpg').read_bytes()
        (other / name).write_bytes(content)
    out = tmp_path / 'both'
    assert images_to_lmdb([f'{image_folder}/more', str(other)], out) == (5, 0)
    assert listed(out) == [
        'more/6.jpg',
        'more/7.jpg',
        'other/B%25C3%25A4r.jpg',
        'other/B%C3%A4r.jpg',
        'other/a 1.jpg',
    ]
    dataset = UnlabelledDataset(
        ann_file=str(out / 'images.txt'),
        pipeline=[
            dict(
                type='mmselfemd.LoadImage',
                backend_args=dict(backend='lmdb', db_path=str(out)),
            )
        ],
    )
    for number in range(3):
        image = cv2.imread(str(image_folder / f'{number}.jpg'))
        assert np.array_equal(dataset[2 + number]['img'], image)


@pytest.mark.parametrize('when', ['between', 'inside', 'check'])
def test_killed_at_any_moment_it_goes_on(
    image_folder, tmp_path, monkeypatch, when
):
    out = tmp_path / 'images.lmdb'
    monkeypatch.setattr(image_database, '_BATCH', 2)
    read = []
    put = image_database._put

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def child():
        batches = []

        def put_and_die(database, items):
            batches.append(items)
            if len(batches) == 3 and when == 'inside':
                with database.begin(write=True) as transaction:
                    transaction.put(items[0][0].encode(), items[0][1])
                    die()
            put(database, items)
            if len(batches) == 2 and when == 'between':
                die()

        image_database._put = put_and_die
        if when == 'check':
            image_database._check = lambda *arguments: die()
        images_to_lmdb([str(image_folder)], out)

    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    stored = {'between': 4, 'inside': 4, 'check': 8}[when]
    assert len(entries(out)) == stored and not (out / 'images.txt').exists()

    class Reading(image_database._Files):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            read.append(item[0])
            return item

    monkeypatch.setattr(image_database, '_Files', Reading)
    assert images_to_lmdb([str(image_folder)], out) == (8, 0)
    assert len(read) == 8 - stored  # what is there is not read again
    assert len(listed(out)) == 8
    for name, content in entries(out).items():
        assert (image_folder / name.decode()).read_bytes() == content


def test_a_full_map_grows(image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_database, '_FIRST_MAP_SIZE', 1 << 15)
    monkeypatch.setattr(image_database, '_BATCH', 2)
    out = tmp_path / 'images.lmdb'
    assert images_to_lmdb([str(image_folder)], out) == (8, 0)
    assert sum(map(len, entries(out).values())) > 1 << 15


def photograph(height, width):
    """Something smooth, so that JPEG keeps it."""
    rows, columns = np.mgrid[:height, :width]
    rows, columns = rows / height, columns / width
    channels = [rows, columns, (rows + columns) / 2]
    return np.uint8(255 * np.stack(channels, axis=-1))


@pytest.mark.parametrize('ending', ['.jpg', '.png'])
@pytest.mark.parametrize('size', [(600, 900), (1700, 400), (101, 102)])
def test_large_images_are_shrunk(size, ending):
    image = photograph(*size)
    content = cv2.imencode(ending, image)[1].tobytes()
    small = decode_image(shrink(content, 100, exactly=True)[0])
    expected = tuple(round(side * 100 / min(size)) for side in size)
    assert small.shape[:2] == expected and min(expected) == 100
    area = cv2.resize(image, expected[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(np.float64(small) - area).mean() < 2
    assert shrink(content, min(size), exactly=True) == (content, 1)


def test_max_size_in_the_database(image_folder, tmp_path):
    big = cv2.imencode('.png', photograph(300, 400))[1].tobytes()
    (image_folder / 'big.png').write_bytes(big)
    out = tmp_path / 'images.lmdb'
    assert images_to_lmdb([str(image_folder)], out, max_size=120) == (9, 0)
    stored = entries(out)
    assert decode_image(stored[b'big.png']).shape == (120, 160, 3)
    assert stored[b'0.jpg'] == (image_folder / '0.jpg').read_bytes()
    # Another size is another database.
    with pytest.raises(UserError, match='other options'):
        images_to_lmdb([str(image_folder)], out, max_size=100)
    settings = json.loads((out / 'settings.json').read_text())
    assert settings['max_size'] == 120


def test_mistakes_are_named(image_folder, tmp_path, monkeypatch):
    images = str(image_folder)
    with pytest.raises(FileNotFoundError, match='nowhere'):
        images_to_lmdb([images, str(tmp_path / 'nowhere')], tmp_path / 'a')
    with pytest.raises(ValueError, match='called alike: images, images'):
        images_to_lmdb([images, images], tmp_path / 'a')
    with pytest.raises(ValueError, match='one source'):
        images_to_lmdb([images, f'{images}/more'], tmp_path / 'a', None, 'l')
    with pytest.raises(ValueError, match='at least 1'):
        images_to_lmdb([images], tmp_path / 'a', max_size=0)
    with pytest.raises(FileExistsError, match='other files'):
        images_to_lmdb([images], image_folder)
    assert not (tmp_path / 'a').exists()
    # One that goes away while it is stored is missed at the end.
    images_to_lmdb([images], tmp_path / 'a')
    (image_folder / '0.jpg').unlink()
    with pytest.raises(UserError, match='holds 8 images.* should be 7'):
        images_to_lmdb([images], tmp_path / 'a')
    assert not (tmp_path / 'a' / 'images.txt').exists()
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    with pytest.raises(UserError, match='pip install lmdb'):
        images_to_lmdb([images], tmp_path / 'b')


def test_a_missing_database_is_named_before_a_run(tmp_path):
    load = dict(
        type='LoadImage',
        backend_args=dict(backend='lmdb', db_path=str(tmp_path / 'nowhere')),
    )
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[load]))))
    setting = r'train_dataloader\S*pipeline\.0\.backend_args\.db_path='
    with pytest.raises(UserError, match=f'nowhere.*{setting}'):
        check_data_paths(cfg, ['train'])
    load['backend_args']['db_path'] = str(tmp_path)
    cfg = Config(dict(train_dataloader=dict(dataset=dict(pipeline=[load]))))
    check_data_paths(cfg, ['train'])
