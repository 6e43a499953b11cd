"""Too many broken images stop a run, with their names."""

import os
import sys
import uuid

import pytest
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from mmselfemd.datasets import LoadImage, UnlabelledDataset
from mmselfemd.datasets.broken_images import (
    BrokenImages,
    TooManyBrokenImagesError,
)
from mmselfemd.engine.command_line import run_tool


@pytest.fixture
def log_folder(tmp_path):
    """That of a run's log file, which lies where mmengine puts it."""
    folder = tmp_path / 'log'
    folder.mkdir()
    name = f'broken-{uuid.uuid4()}'
    MMLogger.get_instance(name, log_file=str(folder / 'run.log'))
    yield folder
    del MMLogger._instance_dict[name]


def read(broken, number, every):
    """Read so many images, of which one in ``every`` is broken."""
    for index in range(number):
        broken.num_read += 1
        if index % every == 0:
            broken.add(f'{index}.jpg', 'it is\nempty')


def test_a_share_below_the_limit_goes_on(log_folder):
    broken = BrokenImages(max_warnings=0, max_share=0.1)
    read(broken, 1000, 11)
    assert (broken.num_read, broken.num_broken) == (1000, 91)
    lines = (log_folder / 'broken_images.txt').read_text().splitlines()
    assert lines == [
        f'{index}.jpg\tit is empty' for index in range(0, 1000, 11)
    ]
    # The next epoch meets the same ones.
    read(broken, 1000, 11)
    assert broken.num_broken == 182
    again = (log_folder / 'broken_images.txt').read_text().splitlines()
    assert again == lines


@pytest.mark.parametrize('share, every', [(0.1, 9), (0.0, 1000), (0.5, 1)])
def test_a_share_above_the_limit_stops(share, every, log_folder):
    broken = BrokenImages(max_warnings=0, max_share=share)
    read(broken, 99, every)  # too few to tell
    with pytest.raises(TooManyBrokenImagesError) as error:
        read(broken, 100, every)
    message = str(error.value)
    assert f'{broken.num_broken} of the {broken.num_read} images' in message
    assert broken.num_broken > share * broken.num_read
    assert f'max_broken_share={share:g}' in message
    assert '0.jpg: it is empty' in message and '\n' not in message
    assert str(log_folder / 'broken_images.txt') in message
    assert message.count('.jpg') <= 5


def test_the_folder_of_an_earlier_run_may_be_gone(log_folder):
    (log_folder / 'run.log').unlink()
    log_folder.rmdir()
    BrokenImages(max_warnings=0, max_share=1).add('0.jpg', 'it is empty')
    assert (log_folder / 'broken_images.txt').is_file()


def test_a_list_that_cannot_be_written_ends_no_run(log_folder, logged):
    (log_folder / 'broken_images.txt').mkdir()
    broken = BrokenImages(max_warnings=0, max_share=1)
    broken.add('0.jpg', 'it is empty')
    assert broken.num_broken == 1
    assert 'broken_images.txt lacks 0.jpg' in '\n'.join(logged)


def test_names_of_any_language_are_listed(log_folder, monkeypatch):
    name = '\u7167\u7247\udcff.jpg'  # the last is no UTF-8 on the disk
    BrokenImages(max_warnings=0, max_share=1).add(name, 'it is empty')
    line = (log_folder / 'broken_images.txt').read_bytes()
    assert line == name.encode(errors='surrogateescape') + b'\tit is empty\n'


def test_a_share_of_one_never_stops():
    broken = BrokenImages(max_warnings=0, max_share=1)
    read(broken, 500, 1)
    assert broken.num_broken == 500


@pytest.mark.parametrize('share', [-0.1, 1.5])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match='max_broken_share'):
        LoadImage(max_broken_share=share)


@pytest.mark.parametrize('lazy', [False, True])
@pytest.mark.parametrize('num_workers', [0, 2])
def test_the_error_of_a_worker_reaches_the_user(
    image_folder, our_scope, log_folder, monkeypatch, capsys, num_workers, lazy
):
    whole = (image_folder / '0.jpg').read_bytes()
    broken = {f'broken{index}.jpg' for index in range(4)}
    for name in broken:  # found by the header, or when it is decoded
        content = whole[: len(whole) // 2] if lazy else b''
        (image_folder / name).write_bytes(content)
    cut = dict(type='CutViews', views=[dict(size=8, photometric=[])])
    dataset = UnlabelledDataset(
        str(image_folder), pipeline=[dict(type='LoadImage', lazy=lazy), cut]
    )

    def main():
        loader = DataLoader(
            dataset,
            sampler=list(range(len(dataset))) * 50,
            num_workers=num_workers,
            collate_fn=lambda batch: batch,
        )
        for _ in loader:
            pass

    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.setattr(sys, 'argv', ['train.py'])
    with pytest.raises(SystemExit) as stop:
        run_tool(main)
    assert stop.value.code == 2
    (line,) = [
        line
        for line in capsys.readouterr().err.splitlines()
        if 'error' in line
    ]
    assert line.startswith('train.py: error: ')
    assert 'images that this process has read are broken' in line
    assert 'Traceback' not in line
    listed = (log_folder / 'broken_images.txt').read_text().splitlines()
    named = {os.path.basename(each.split('\t')[0]) for each in listed}
    assert named == broken


def test_a_missing_key_of_a_data_base_is_a_broken_image(logged, monkeypatch):
    monkeypatch.setattr(
        'mmselfemd.datasets.transforms.load_image.get',
        lambda path, backend_args: None,
    )
    load = LoadImage(backend_args=dict(backend='lmdb', db_path='nowhere'))
    assert load(dict(img_path='a.jpg')) is None
    assert load.broken.num_broken == 1 and 'no such key' in logged[0]
