"""A folder is counted and measured, and the line to set is printed."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets.pictures import ValueMapping, open_picture
from mmselfemd.datasets.pictures.folder import check_images
from mmselfemd.datasets.pictures.measuring import (
    ValueSample,
    range_setting,
    sample_of,
    written,
)
from mmselfemd.errors import UserFileNotFoundError, UserValueError

TOOL = Path(__file__).resolve().parents[2] / 'tools/check_images.py'


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the tool; its exit status and the lines that it prints."""
    spec = importlib.util.spec_from_file_location('check_images', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run_it(*arguments):
        words = ['check_images.py', *map(str, arguments), '--workers', '0']
        monkeypatch.setattr('sys.argv', words)
        with pytest.raises(SystemExit) as stop:
            module.main()
        return stop.value.code, capsys.readouterr().out.splitlines()

    return run_it


def write_counts(folder, low, high, number=4):
    values = np.linspace(low, high, 60 * 80).reshape(60, 80).round()
    for index in range(number):
        # A dead and a hot pixel, which must not decide.
        shown = values.copy()
        shown[0, 0], shown[-1, -1] = 0, 65535
        name = str(folder / f'thermal{index}.png')
        cv2.imwrite(name, shown.astype(np.uint16))


def test_photographs_are_fine_as_they_are(run, image_folder):
    status, lines = run(image_folder)
    assert status == 0
    assert f'8 images in {image_folder}' in lines
    assert 'formats: JPEG (8)' in lines and 'bands: 3 (8)' in lines
    assert 'types: uint8 (8)' in lines and 'sizes: 160 x 120 (8)' in lines
    assert not any('value_range' in line for line in lines)


def test_counts_are_measured_and_the_line_is_one_for_a_config(
    run, image_folder
):
    write_counts(image_folder, 29000, 31000)
    status, lines = run(image_folder)
    assert status == 1
    assert 'types: uint8 (8), uint16 (4)' in lines
    assert 'bands: 3 (8), 1 (4)' in lines
    (line,) = [line for line in lines if line.startswith('value_range = ')]
    low, high = eval(line.partition('=')[2])
    assert 29000 <= low <= 29010 and 30990 <= high <= 31000
    mapped = ValueMapping((low, high)).read(
        (image_folder / 'thermal0.png').read_bytes()
    )
    assert np.ptp(mapped) == 255
    (values,) = [line for line in lines if line.startswith('values: ')]
    assert 'uint16' in values and '3 % of the range of the files' in values


def test_16_bits_that_are_used_need_nothing(run, tmp_path):
    write_counts(tmp_path, 0, 60000)
    status, lines = run(tmp_path)
    assert status == 0 and not any('value_range' in line for line in lines)


def test_what_does_not_decode_is_named_and_what_is_passed_over(
    run, image_folder
):
    for index in range(5):
        (image_folder / f'broken{index}.jpg').write_bytes(b'\xff\xd8\xff')
    (image_folder / 'raw.DNG').write_bytes(b'II*\0')
    (image_folder / 'notes.json').write_text(json.dumps({}))
    status, lines = run(image_folder)
    assert status == 1 and 'not read: 5' in lines
    assert sum('broken' in line for line in lines) == 3
    assert '  and 2 others' in lines
    (passed,) = [line for line in lines if 'passed over' in line]
    assert '.dng (1)' in passed and '.json (1)' in passed


def test_a_few_broken_ones_are_no_reason_to_stop(run, image_folder):
    for copy in range(12):
        Image.new('RGB', (9 + copy, 9)).save(image_folder / f'c{copy}.bmp')
    (image_folder / 'broken.png').write_bytes(b'')
    status, lines = run(image_folder)
    assert status == 0
    assert '  broken.png: it is empty' in lines
    assert any('others with shorter sides of 9 to 9' in line for line in lines)


def test_bands_are_asked_for_and_taken(run, tmp_path):
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    pixels = np.zeros((40, 50, 5), np.uint16)
    pixels[..., 4] = np.linspace(100, 300, 2000).reshape(40, 50)
    tifffile.imwrite(
        tmp_path / 'a.tif',
        pixels,
        photometric='minisblack',
        planarconfig='contig',
    )
    status, lines = run(tmp_path)
    assert status == 1 and 'bands = (0, 1, 2)' in lines
    assert 'not read for their bands: 1' in lines
    status, lines = run(tmp_path, '--bands', 4)
    (line,) = [line for line in lines if line.startswith('value_range = ')]
    assert status == 1
    assert eval(line.partition('=')[2]) == pytest.approx((100, 300), abs=1)
    assert not any('bands = ' in line for line in lines)


def test_bands_that_photographs_do_not_have_are_an_error(run, image_folder):
    status, lines = run(image_folder, '--bands', 5)
    assert status == 1 and 'not read for their bands: 8' in lines
    assert 'bands = (0, 1, 2)' in lines
    named = [line for line in lines if 'of numbers 0 to 2' in line]
    assert len(named) == 3 and all('bands=(5,)' in line for line in named)
    assert '0.jpg: it is a JPEG of 3 bands' in named[0]
    status, lines = run(image_folder, '--bands', 2, 1, 0)
    assert status == 0 and 'bands: 3 (8)' in lines


def test_many_images_of_many_bands_take_no_more_memory(tmp_path, monkeypatch):
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    bands = np.arange(60 * 80 * 50, dtype=np.uint16).reshape(60, 80, 50)
    tifffile.imwrite(
        tmp_path / 'a.tif',
        bands,
        photometric='minisblack',
        planarconfig='contig',
    )
    picture = open_picture((tmp_path / 'a.tif').read_bytes())
    assert 4096 <= sample_of(picture, picture.pixels).size <= 3 * 4096
    kept = []
    monkeypatch.setattr(
        'mmselfemd.datasets.pictures.folder._named',
        lambda problems: kept.extend(problems) or [],
    )
    check_images(str(tmp_path))
    assert len(kept) == 1 and not kept[0].values.size


@pytest.mark.parametrize(
    'low, high',
    [(100001.25, 100003.5), (0, 2.55e-7), (-7e5, 1e6), (1e30, 1e30), (7, 7)],
)
def test_the_line_has_the_digits_that_tell_its_ends_apart(low, high):
    sample = ValueSample()
    sample.add('float32', None, np.linspace(low, high, 1001))
    line = written(range_setting(sample.measured()))
    found = ValueMapping(eval(line)).value_range  # raises if it is none
    if low < high:
        assert np.allclose(found, (low, high), rtol=0, atol=(high - low) / 200)


def test_workers_find_the_same(image_folder):
    write_counts(image_folder, 100, 300)
    assert check_images(str(image_folder)) == check_images(
        str(image_folder), num_workers=2
    )


def test_what_is_no_folder_of_images_is_said(tmp_path):
    with pytest.raises(UserFileNotFoundError, match='no folder'):
        check_images(str(tmp_path / 'nowhere'))
    (tmp_path / 'a.txt').write_text('')
    with pytest.raises(UserFileNotFoundError, match='no image below'):
        check_images(str(tmp_path))
    with pytest.raises(UserValueError, match='--bands: bands='):
        check_images(str(tmp_path), bands=[0, 1])
