"""An annotation file beside its images."""

import os
import shutil
import struct
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.annotations import STOP, splits
from mmselfemd.datasets.annotations.image_size import look_at_image
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError

ORIENTATION = 0x0112


def rename(labels, name):
    labels.content['images'][0]['file_name'] = name


def test_an_absolute_name(labels):
    rename(labels, str(labels.images / '1.jpg'))
    found = labels.check()
    assert found.keys() == {'file-name-absolute'}
    rename(labels, 'C:\\photos\\1.jpg')
    assert labels.check().keys() == {'file-name-absolute'}


def test_a_name_that_climbs_out(labels):
    shutil.move(labels.images / '1.jpg', labels.images.parent / '1.jpg')
    rename(labels, '../1.jpg')
    found = labels.check()
    assert found.keys() == {'file-name-climbs'}
    assert '../1.jpg' in found['file-name-climbs'].places[0]


@pytest.mark.parametrize('name', ['7.jpg', 'images/1.jpg', 'sub\\1.jpg'])
def test_a_file_that_is_not_there(labels, name):
    rename(labels, name)
    found = labels.check()
    assert found.keys() == {'file-missing'}
    assert repr(name) in found['file-missing'].places[0]


def test_a_folder_that_is_not_there(labels, tmp_path):
    labels.images = tmp_path / 'elsewhere'
    assert len(labels.check()['file-missing'].places) == 6


def test_a_name_in_other_capitals(labels):
    rename(labels, '1.JPG')
    found = labels.check()
    assert found.keys() == {'file-name-case'}
    assert "on the disk '1.jpg'" in found['file-name-case'].places[0]


def test_a_folder_in_other_capitals(labels):
    (labels.images / 'sub').mkdir()
    shutil.move(labels.images / '1.jpg', labels.images / 'sub' / '1.jpg')
    rename(labels, 'sub/1.jpg')
    assert labels.check() == {}
    rename(labels, 'Sub/1.jpg')
    assert labels.check().keys() == {'file-name-case'}


@pytest.mark.parametrize('name', ['2.jpg', './2.jpg'])
def test_the_same_file_twice(labels, name):
    rename(labels, name)
    found = labels.check()
    assert found.keys() == {'file-twice'}
    assert 'image 2 ' in found['file-twice'].places[0]


@pytest.mark.parametrize('content', [b'', b'no image', b'\xff\xd8\xff\xe0'])
def test_a_file_that_is_no_image(labels, content):
    (labels.images / '1.jpg').write_bytes(content)
    found = labels.check()
    assert found.keys() == {'image-unreadable'}


def test_another_size(labels):
    labels.content['images'][0].update(width=121)
    found = labels.check()
    assert found.keys() == {'size-differs'}
    assert '121 x 80), decodes as 120 x 80' in found['size-differs'].places[0]


def test_a_photograph_that_a_phone_turned(labels):
    """Labelled as it lies in the file, shown upright."""
    path = labels.images / '1.jpg'
    image = Image.open(path)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    image.save(path, exif=exif)
    found = labels.check()
    assert found.keys() == {'size-differs'}
    assert 'decodes as 80 x 120' in found['size-differs'].places[0]


def saved(folder, name, orientation=None, mode='RGB', **options):
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (31, 57, 3), np.uint8)
    image, path = Image.fromarray(pixels).convert(mode), folder / name
    if orientation:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        options['exif'] = exif
    image.save(path, **options)
    return path


@pytest.mark.parametrize('orientation', [None, *range(1, 9)])
@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.tif', 'a.webp'])
def test_a_size_is_that_of_the_decoded_image(tmp_path, name, orientation):
    path = saved(tmp_path, name, orientation)
    height, width = ValueMapping().read(path.read_bytes()).shape[:2]
    assert look_at_image(str(path)).size == (width, height)


@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('a.jpg', dict(progressive=True)),
        ('a.jpg', dict(mode='L')),
        ('a.jpg', dict(mode='CMYK')),
        ('a.jpg', dict(icc_profile=b'x' * 100_000)),
        ('a.jpg', dict(comment=b'y' * 9000)),
        ('a.bmp', {}),
        ('a.png', dict(mode='P')),
    ],
)
def test_sizes_of_other_kinds(tmp_path, name, options):
    path = saved(tmp_path, name, **options)
    assert look_at_image(str(path)).size == (57, 31)


@pytest.fixture
def few_pixels(monkeypatch):
    """Pillow's limit at less than half of the pictures here."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 57 * 31 // 4)


@pytest.mark.parametrize('orientation', [None, 6])
@pytest.mark.parametrize('name', ['a.jpg', 'a.png', 'a.tif', 'a.bmp'])
def test_pillow_s_limit_is_none_of_the_run_s(
    tmp_path, few_pixels, name, orientation
):
    path = saved(tmp_path, name, orientation)
    height, width = ValueMapping().read(path.read_bytes()).shape[:2]
    assert look_at_image(str(path)).size == (width, height)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)  # the limit of others is as before


def test_a_size_that_the_file_cannot_hold_is_no_size(tmp_path, few_pixels):
    path = saved(tmp_path, 'a.bmp')
    content = bytearray(path.read_bytes())
    content[18:26] = struct.pack('<ii', 20000, 20000)
    path.write_bytes(content)
    with pytest.raises(BrokenImageError, match='claims 20000 x 20000 pixels'):
        look_at_image(str(path))


def test_more_pixels_than_opencv_reads_are_no_image(tmp_path):
    """Its limit is 2^30; Pillow is not asked for so many, either."""
    side = 2**15 + 1
    rows = zlib.compress(bytes(side * (1 + side // 8 + 1)), 1)  # of one bit
    header = struct.pack('>IIBBBBB', side, side, 1, 0, 0, 0, 0)
    content = b'\x89PNG\r\n\x1a\n'
    for name, part in ((b'IHDR', header), (b'IDAT', rows), (b'IEND', b'')):
        checksum = struct.pack('>I', zlib.crc32(name + part))
        content += struct.pack('>I', len(part)) + name + part + checksum
    path = tmp_path / 'a.png'
    path.write_bytes(content)
    for read in (ValueMapping().read, lambda _: look_at_image(str(path))):
        with pytest.raises(BrokenImageError, match='CV_IO_MAX_IMAGE_PIXELS'):
            read(content)


def test_what_is_cut_off_in_the_head_does_not_decode(tmp_path):
    path = saved(tmp_path, 'a.jpg')
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BrokenImageError):
        look_at_image(str(path))


def test_sizes_of_photographs(photos):
    for path in sorted((photos / 'coco32' / 'train2017').glob('*'))[:8]:
        height, width = cv2.imread(str(path)).shape[:2]
        assert look_at_image(str(path)).size == (width, height)


def test_no_image_is_looked_at_without_a_folder(labels):
    from mmselfemd.datasets.annotations import check_file

    rename(labels, 'nowhere.jpg')
    assert not [
        finding
        for finding in check_file(labels.write())
        if finding.kind.level == STOP
    ]


def test_accents_that_are_coded_in_another_way(labels):
    """macOS writes a letter and its accent as two characters."""
    (labels.images / '1.jpg').rename(labels.images / 'cafe\u0301.jpg')
    labels.content['images'][0]['file_name'] = 'caf\u00e9.jpg'
    found = labels.check()
    assert found.keys() == {'file-name-case'}
    assert 'cafe\\u0301.jpg' in found['file-name-case'].places[0]


@pytest.mark.parametrize('name', ['.', './', 'a/..', '\0', '\0/1.jpg'])
def test_a_name_that_is_none(labels, name):
    labels.content['images'][0]['file_name'] = name
    assert labels.check().keys() == {'file-missing'}


@pytest.mark.parametrize('make', [os.mkdir, os.mkfifo])
def test_a_folder_or_a_pipe_in_place_of_an_image(labels, make):
    """Nothing waits for a pipe that nobody writes to."""
    (labels.images / '1.jpg').unlink()
    make(labels.images / '1.jpg')
    place = labels.check()['image-unreadable'].places[0]
    assert 'no regular file' in place


def test_files_that_begin_alike_are_each_read_once(tmp_path, monkeypatch):
    """A thousand in each of two sets would be a million comparisons."""
    keys, table = {}, None
    for number in range(40):
        path = tmp_path / f'{number}.bmp'
        path.write_bytes(bytes(5000) + bytes([number]))
        keys[number] = (str(path), (5001, 0))
    copy = tmp_path / 'copy.bmp'
    copy.write_bytes(bytes(5000) + bytes([7]))
    table = SimpleNamespace(file='val.json', image_name=str)
    others = {row: keys[row] for row in range(20, 40)}
    others[40] = (str(copy), (5001, 0))
    train = {row: keys[row] for row in range(20)}
    read = []
    digest = splits.digest_of
    monkeypatch.setattr(
        splits, 'digest_of', lambda path: read.append(path) or digest(path)
    )
    (finding,) = splits.check_splits([train], [(table, others)])
    assert finding.places == (f'image 40: {tmp_path}/7.bmp',)
    assert len(read) == len(set(read)) == 41
