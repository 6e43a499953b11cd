"""Large images are kept small, and nobody sees a difference in the views."""

import shutil
from collections import namedtuple
from io import BytesIO

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from mmselfemd.datasets import CutViews, LoadImage
from mmselfemd.datasets.shrunk_images import SUFFIX, ShrunkImages, room_in
from mmselfemd.datasets.transforms.encoded_image import decode_image
from mmselfemd.errors import UserValueError

SIZE = (303, 401)  # height and width: neither is whole in halves
SHRUNK = dict(lazy=True, shrunk_size=64)  # to a quarter
VIEWS = [dict(size=size, photometric=[]) for size in (64, 64, 32)]


def scene(height, width):
    """Soft colours, every place another one."""
    rows = np.linspace(0, 3, height)[:, None]
    columns = np.linspace(0, 3, width)
    channels = [
        np.sin(rows * k + columns) + np.cos(columns * k - rows)
        for k in (1, 2, 3)
    ]
    return np.uint8(128 + 60 * np.stack(channels, axis=-1))


def encoded(kind, size=SIZE, **kwargs):
    file = BytesIO()
    kwargs |= dict(quality=97, subsampling=0) if kind == 'JPEG' else {}
    Image.fromarray(scene(*size)).save(file, kind, **kwargs)
    return file.getvalue()


def rotated(size=(304, 404)):
    """Of whole size: else its grid of pixels begins at the other side."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    return encoded('JPEG', size[::-1], exif=exif)


KINDS = dict(
    jpeg=lambda: encoded('JPEG'), rotated=rotated, png=lambda: encoded('PNG')
)


@pytest.fixture(params=KINDS)
def path(request, tmp_path):
    file = tmp_path / 'images' / 'large'
    file.parent.mkdir()
    file.write_bytes(KINDS[request.param]())
    return str(file)


def views_of(path, seed=0, **load):
    """Views, their boxes, and the size that the image is said to have."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    results = LoadImage(**load)(dict(img_path=path))
    results = CutViews(VIEWS, backend='torch')(results)
    return results['img'], results['views'], results['ori_shape']


def kept_in(folder):
    return sorted(folder.rglob(f'*{SUFFIX}'))


def assert_same(found, expected):
    assert found[1:] == expected[1:]
    for one, other in zip(found[0], expected[0], strict=True):
        assert np.array_equal(one, other)


def test_views_are_the_same_the_first_time_and_later(path, tmp_path):
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'shrunk'))
    first = views_of(path, **shrunk)
    (kept,) = kept_in(tmp_path / 'shrunk')
    written = kept.stat().st_mtime_ns
    assert_same(views_of(path, **shrunk), first)
    assert kept.stat().st_mtime_ns == written
    # It is the kept file that is read.
    black = np.zeros_like(decode_image(kept.read_bytes()[:-1]))
    kept.write_bytes(cv2.imencode('.jpg', black)[1].tobytes() + bytes([4]))
    views, *geometry = views_of(path, **shrunk)
    assert max(view.max() for view in views) == 0
    assert tuple(geometry) == first[1:]


def test_views_are_those_of_the_image_itself(path, tmp_path):
    """In colours, and in where they lie: boxes are in its own pixels."""
    content = (tmp_path / 'images/large').read_bytes()
    whole = decode_image(content)
    height, width = whole.shape[:2]
    for seed in range(5):
        views, boxes, size = views_of(
            path, seed, shrunk_dir=str(tmp_path / 'shrunk'), **SHRUNK
        )
        # All but what would be a part of a pixel at a quarter.
        assert size == (height // 4 * 4, width // 4 * 4)
        for pixels, view in zip(views, boxes, strict=True):
            left, top, *sides = view['box']
            assert min(left, top) >= 0 and min(sides) > 0
            assert left + sides[0] <= width and top + sides[1] <= height
            crop = whole[top : top + sides[1], left : left + sides[0]]
            expected = cv2.resize(
                crop, (view['size'],) * 2, interpolation=cv2.INTER_AREA
            )
            expected = expected[:, ::-1] if view['flip'] else expected
            difference = np.abs(pixels.astype(int) - expected)
            assert difference.mean() < 1.5


def test_boxes_do_not_change_with_the_folder(tmp_path):
    """At sizes that are whole at a quarter; the crops are on its grid."""
    file = tmp_path / 'large.jpg'
    file.write_bytes(encoded('JPEG', (304, 400)))
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'shrunk'))
    _, boxes, size = views_of(str(file), **shrunk)
    _, whole, whole_size = views_of(str(file), lazy=True)
    assert size == whole_size
    for view, other in zip(boxes, whole, strict=True):
        assert view['flip'] == other['flip']
        apart = np.subtract(view['box'], other['box'])
        assert np.abs(apart).max() < 8 and not np.mod(view['box'], 4).any()


def test_a_small_image_is_left_alone(tmp_path):
    file = tmp_path / 'small.jpg'
    file.write_bytes(encoded('JPEG', (127, 500)))
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'shrunk'))
    assert_same(views_of(str(file), **shrunk), views_of(str(file), lazy=True))
    assert not (tmp_path / 'shrunk').exists()


def test_a_changed_file_is_shrunk_again(path, tmp_path):
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'shrunk'))
    before = views_of(path, **shrunk)
    (tmp_path / 'images/large').write_bytes(encoded('PNG', (500, 700)))
    assert views_of(path, **shrunk)[2] != before[2]
    assert len(kept_in(tmp_path / 'shrunk')) == 2


def test_what_was_cut_off_is_not_read(path, tmp_path):
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'shrunk'))
    first = views_of(path, **shrunk)
    (kept,) = kept_in(tmp_path / 'shrunk')
    content = kept.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        kept.write_bytes(content[:length])
        assert_same(views_of(path, **shrunk), first)
        assert kept.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_said_once(path, tmp_path, logged):
    kept = views_of(path, shrunk_dir=str(tmp_path / 'shrunk'), **SHRUNK)
    (tmp_path / 'a_file').touch()
    images = ShrunkImages(tmp_path / 'a_file', 64)
    content = (tmp_path / 'images/large').read_bytes()
    for _ in range(2):
        shrunk, reduction = images.read(path, lambda: content)
        assert reduction == 4 and len(shrunk) < len(content)
    assert len(logged) == 1 and 'a_file' in logged[0]
    shrunk = SHRUNK | dict(shrunk_dir=str(tmp_path / 'a_file'))
    assert_same(views_of(path, **shrunk), kept)


def test_a_tenth_of_the_disk_stays_free(path, tmp_path, logged, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: usage(100, 91, 9))
    views_of(path, shrunk_dir=str(tmp_path / 'shrunk'), **SHRUNK)
    assert not kept_in(tmp_path / 'shrunk')
    assert 'is left to others' in logged[0]
    assert not list((tmp_path / 'shrunk').rglob('*.*'))


def test_room_is_left_to_others(tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')

    def room(total, free):
        disk = usage(total, total - free, free)
        monkeypatch.setattr(shutil, 'disk_usage', lambda _: disk)
        return room_in(tmp_path / 'not' / 'yet')

    assert room(100 * 10**9, 30 * 10**9) == 20 * 10**9  # less a tenth
    assert room(10**15, 80 * 10**9) == 30 * 10**9  # less 50 GB
    assert room(10**15, 40 * 10**9) == 0
    (tmp_path / 'not').touch()
    assert room(10**15, 80 * 10**9) == 0


def test_a_broken_large_image_is_skipped(tmp_path, logged):
    file = tmp_path / 'cut_off.jpg'
    content = encoded('JPEG')
    file.write_bytes(content[: len(content) // 2])
    load = LoadImage(shrunk_dir=str(tmp_path / 'shrunk'), **SHRUNK)
    assert load(dict(img_path=str(file))) is None
    assert load.broken.num_broken == 1 and 'cut_off.jpg' in logged[0]
    assert not (tmp_path / 'shrunk').exists()


@pytest.mark.parametrize(
    'load', [dict(lazy=False), dict(lazy=True, shrunk_size=0)]
)
def test_settings_that_do_not_fit(load, tmp_path):
    with pytest.raises(UserValueError, match='lazy=True|at least 1'):
        LoadImage(shrunk_dir=str(tmp_path), **load)
