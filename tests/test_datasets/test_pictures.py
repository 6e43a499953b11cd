"""Pictures of every kind: the right pixels, or words that say what to do."""

import importlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmselfemd.datasets import (
    CutViews,
    LoadDetectionImage,
    LoadImage,
    UnlabelledDataset,
)
from mmselfemd.datasets.broken_images import UnreadableImageError
from mmselfemd.datasets.pictures import ValueMapping, open_picture
from mmselfemd.datasets.pictures.sizes import picture_size
from mmselfemd.datasets.transforms.encoded_image import (
    BrokenImageError,
    EncodedImage,
)
from mmselfemd.errors import UserValueError

with pytest.MonkeyPatch.context() as patch:
    tools = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
    patch.syspath_prepend(tools)
    image_kinds = importlib.import_module('image_kinds')
    image_makers = importlib.import_module('image_makers')

SCENE = image_makers.scene()
GREY = np.asarray(Image.fromarray(SCENE).convert('L'))
KINDS = {kind.name: kind for kind in image_kinds.KINDS}

# Those that cannot be read without a setting, and those that never are: what
# the message must say.
NEEDS_RANGE = {
    'TIFF, float32': ('float32', '250 to 310', 'value_range=(low, high)'),
    'TIFF, float32 with NaN': ('float32', '250 to 310', 'value_range='),
    'TIFF, float16': ('float16', '0 to 1', 'value_range='),
}
NEEDS_BANDS = {
    "TIFF, four bands of 16 bits by GDAL's defaults": ('4 bands, uint16',),
    'TIFF, five bands': ('5 bands, uint8',),
}
REFUSED = {
    'TIFF, complex numbers': ('complex', 'float32'),
    'DNG': ('raw photograph', 'thumbnail', 'develop it'),
    'DICOM': ('DICOM', '16-bit TIFF', 'value_range'),
    'FITS': ('FITS', 'float32 TIFF'),
}
#: Those whose values fill little of what the file can hold.
DARK = {
    'PNG, 12 bits in 16': 'uint16',
    'PNG, thermal counts of 29000 to 31000': 'uint16',
    'TIFF, thermal counts of 29000 to 31000': 'uint16',
    'TIFF, int16 of -1000 to 3000': 'int16',
}


def content_of(name):
    kind = KINDS[name]
    for module in kind.needs:
        pytest.importorskip(module, reason='needs mmselfemd[images]')
    return kind.make()


def assert_is_the_scene(name, pixels):
    """BGR of the picture: its colours, or its grey in all three."""
    assert pixels.dtype == np.uint8 and pixels.shape == (120, 160, 3)
    assert pixels.flags.c_contiguous
    rgb = pixels[..., ::-1].astype(float)
    if 'one bit' in name:
        assert set(np.unique(rgb)) == {0, 255}
        assert rgb.mean() == pytest.approx(GREY.mean(), abs=2)
    elif (rgb == rgb[..., :1]).all():
        assert 'colour' not in name
        black = np.isnan(rgb[..., 0])
        if 'NaN' in name:
            black[:4] = True
        assert (rgb[black] == 0).all()
        assert np.abs(rgb[..., 0] - GREY)[~black].mean() < 1
    else:
        assert 'grey' not in name
        assert np.abs(rgb - SCENE).mean() < 4


def loaded(transform, path):
    results = transform(dict(img_path=str(path)))
    if results is None:
        return None
    image = results['img']
    assert results['ori_shape'] == image.shape[:2]
    return image.decode() if isinstance(image, EncodedImage) else image


@pytest.mark.parametrize('name', sorted(KINDS.keys() - REFUSED.keys()))
def test_read_right_by_both_stages(name, tmp_path):
    path = tmp_path / 'image.any'
    path.write_bytes(content_of(name))
    settings = KINDS[name].settings
    first = loaded(LoadImage(**settings), path)
    assert_is_the_scene(name, first)
    for transform in (
        LoadImage(lazy=True, **settings),
        LoadDetectionImage(**settings),
    ):
        assert np.array_equal(loaded(transform, path), first)


@pytest.mark.parametrize(
    'name, words', {**NEEDS_RANGE, **NEEDS_BANDS, **REFUSED}.items()
)
def test_what_cannot_be_read_as_it_is_says_what_to_do(
    name, words, tmp_path, logged
):
    path = tmp_path / 'image.any'
    path.write_bytes(content_of(name))
    for lazy in (False, True):
        load = LoadImage(lazy=lazy)
        assert load(dict(img_path=str(path))) is None
        assert load.broken.num_broken == 1
    words = (*words, 'bands=(0, 1, 2)') if name in NEEDS_BANDS else words
    with pytest.raises(UnreadableImageError) as error:
        LoadDetectionImage()(dict(img_path=str(path)))
    for said in (*logged, str(error.value)):
        assert str(path) in said
        assert all(word in said for word in words), said
    ignoring = LoadDetectionImage(ignore_empty=True)
    assert ignoring(dict(img_path=str(path))) is None


@pytest.mark.parametrize('name', DARK)
def test_without_a_range_all_that_the_file_can_hold_is(name):
    picture = open_picture(content_of(name))
    assert str(picture.pixels.dtype) == DARK[name]
    low, high = picture.full_range
    found = ValueMapping().apply(picture)[..., 0]
    exact = (picture.pixels[..., 0] - float(low)) / (high - low) * 255
    assert np.abs(found - exact).max() <= 0.51
    assert np.ptp(found) < 64


def test_values_beyond_the_range_are_cut_off():
    content = content_of('PNG, thermal counts of 29000 to 31000')
    found = ValueMapping((29500, 30500)).read(content)[..., 0]
    counts = open_picture(content).pixels[..., 0].astype(float)
    assert (found[counts <= 29500] == 0).all()
    assert (found[counts >= 30500] == 255).all()
    expected = (np.clip(counts, 29500, 30500) - 29500) / 1000 * 255
    assert np.abs(found - expected).max() <= 0.51


def test_a_range_leaves_8_bits_as_they_are():
    for name in ('JPEG', 'PNG, palette', 'GIF', 'WebP', 'TIFF'):
        content = content_of(name)
        plain = ValueMapping().read(content)
        assert np.array_equal(ValueMapping((0, 10)).read(content), plain)


def test_bands_pick_colours_or_grey_of_any_picture(tmp_path):
    for name in ('JPEG', 'PNG, alpha', 'WebP', 'TIFF'):
        content = content_of(name)
        blue, green, red = np.moveaxis(ValueMapping().read(content), 2, 0)
        swapped = ValueMapping(bands=(2, 1, 0)).read(content)
        assert np.array_equal(swapped, np.stack([red, green, blue], 2))
        grey = ValueMapping(bands=[1]).read(content)
        assert np.array_equal(grey, np.stack([green] * 3, 2))
    path = tmp_path / 'image.jpg'
    path.write_bytes(content_of('JPEG'))
    load = LoadImage(lazy=True, bands=(2, 1, 0))
    eager = loaded(LoadImage(bands=(2, 1, 0)), path)
    assert np.array_equal(loaded(load, path), eager)
    assert not np.array_equal(loaded(LoadImage(), path), eager)


def test_a_grey_picture_is_all_three_colours():
    for name in ('PNG, grey', 'PNG, grey with alpha', 'JPEG, grey'):
        content = content_of(name)
        plain = ValueMapping().read(content)
        assert_is_the_scene(name, plain)
        for bands in ((0,), (0, 1, 2), (2, 1, 0)):
            found = ValueMapping(bands=bands).read(content)
            assert np.array_equal(found, plain), (name, bands)


MISSING = {
    'JPEG': '3 bands, uint8, of numbers 0 to 2',
    'JPEG, grey': '1 band, uint8, of numbers 0 to 0',
    'PNG, alpha': '4 bands, uint8, of numbers 0 to 3',
    'PNG, thermal counts of 29000 to 31000': '1 band, uint16',
    'TIFF, five bands': '5 bands, uint8, of numbers 0 to 4',
}


@pytest.mark.parametrize('name', sorted(KINDS.keys() - REFUSED.keys()))
def test_bands_that_a_picture_does_not_have(name, tmp_path, logged):
    path = tmp_path / 'image.any'
    path.write_bytes(content_of(name))
    settings = KINDS[name].settings | dict(bands=(0, 1, 9))
    for lazy in (False, True):
        load = LoadImage(lazy=lazy, **settings)
        assert load(dict(img_path=str(path))) is None
    with pytest.raises(UnreadableImageError) as error:
        LoadDetectionImage(**settings)(dict(img_path=str(path)))
    for said in (*logged, str(error.value)):
        assert MISSING.get(name, ' of numbers 0 to ') in said
        assert 'bands=(0, 1, 9) names others: set bands to' in said


@pytest.mark.parametrize(
    'settings, word',
    [
        (dict(value_range=(2, 1)), 'value_range'),
        (dict(value_range=5), 'value_range'),
        (dict(value_range=(0, float('nan'))), 'value_range'),
        (dict(value_range='auto'), 'value_range'),
        (dict(bands=(0, 1)), 'bands'),
        (dict(bands=(0, 1, 2, 3)), 'bands'),
        (dict(bands=(-1,)), 'bands'),
        (dict(bands=1), 'bands'),
    ],
)
@pytest.mark.parametrize('transform', [LoadImage, LoadDetectionImage])
def test_settings_that_cannot_be_meant(transform, settings, word):
    with pytest.raises(UserValueError, match=f'{word}=.*must be'):
        transform(**settings)


HEIC = b'\0\0\0\x1cftypheic\0\0\0\0mif1heic' + bytes(99)


@pytest.mark.parametrize(
    'content, module, words',
    [
        (HEIC, 'pillow_heif', ('a HEIC', 'pillow-heif')),
        (b'\xff\x0a' + bytes(99), 'imagecodecs', ('JPEG XL',)),
        (None, 'tifffile', ('a TIFF of 1 band of 16 bits',)),
    ],
)
def test_a_missing_library_is_named_with_the_extra(
    content, module, words, monkeypatch, tmp_path
):
    if content is None:
        Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / 'deep.tif')
        content = (tmp_path / 'deep.tif').read_bytes()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BrokenImageError) as error:
        open_picture(content)
    for word in (*words, module.replace('_', '-'), 'mmselfemd[images]'):
        assert word in str(error.value)


def test_8_bits_need_no_further_library(monkeypatch):
    contents = [
        content_of(name)
        for name, kind in KINDS.items()
        if not kind.needs and name not in REFUSED
    ]
    assert len(contents) >= 30
    for module in ('tifffile', 'imagecodecs', 'pillow_heif'):
        monkeypatch.setitem(sys.modules, module, None)
    for content in contents:
        assert ValueMapping().read(content).shape == (120, 160, 3)


@pytest.mark.parametrize(
    'content, words',
    [
        (b'', 'empty'),
        (b'not an image', "known: b'not an i'"),
        (content_of('PNG')[:2000], 'a PNG, but does not decode'),
        (content_of('WebP')[:900], 'a WebP, but does not decode'),
        (content_of('TIFF')[:900], 'a TIFF, but does not decode'),
        (b'II*\0' + b'\xff' * 40, 'a TIFF, but does not decode'),
        (content_of('PPM, 16 bits')[:900], 'it is cut off'),
        (b'\x1aE\xdf\xa3' + bytes(40), 'a video'),
        (b'\0\0\0\x18ftypcrx ' + bytes(40), 'a raw photograph'),
        (b'\0\0\0\x18ftypisom' + bytes(40), 'a video'),
        (b'%PDF-1.7' + bytes(40), 'a PDF'),
        (b'\x89HDF\r\n' + bytes(40), 'an HDF5'),
    ],
)
def test_what_is_damaged_or_no_picture_is_said(content, words):
    with pytest.raises(BrokenImageError) as error:
        ValueMapping().read(content)
    assert words in str(error.value)


def test_a_folder_of_all_kinds_is_read_and_what_is_not_is_named(
    tmp_path, logged, our_scope
):
    folder = tmp_path / 'images'
    folder.mkdir()
    names = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        try:
            content = kind.make()
        except ImportError:
            continue
        (folder / f'{number:02}.tif').write_bytes(content)
        names[name] = f'{number:02}.tif'
    load = dict(type='LoadImage', max_warnings=100, max_broken_share=1)
    dataset = UnlabelledDataset(str(folder), pipeline=[load])
    unread = (*NEEDS_RANGE, *NEEDS_BANDS, *REFUSED)
    for number, name in enumerate(names):
        item = dataset[number]
        assert item['img'].shape == (120, 160, 3)
        replaced = not item['img_path'].endswith(names[name])
        assert replaced == (name in unread)
        assert replaced == any(f'/{names[name]}: ' in line for line in logged)
    assert len(names) >= 35


@pytest.mark.parametrize('byteorder', ['<', '>'])
@pytest.mark.parametrize('big', [False, True])
def test_tiffs_of_either_byte_order_and_any_size(byteorder, big, tmp_path):
    tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
    for pixels, expected in (
        (GREY.astype(np.uint16) * 257, 'grey'),
        (GREY, 'grey'),
        (SCENE, 'colour'),
    ):
        path = tmp_path / 'image.tif'
        tifffile.imwrite(path, pixels, byteorder=byteorder, bigtiff=big)
        found = ValueMapping().read(path.read_bytes())
        assert_is_the_scene(expected, found)


def packed_12_bits(values):
    """A TIFF whose rows hold two values in three bytes."""
    height, width = values.shape
    first, second = values[:, ::2], values[:, 1::2]
    triples = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    pixels = np.stack(triples, axis=2).astype(np.uint8).tobytes()
    tags = {
        256: width,
        257: height,
        258: 12,
        259: 1,
        262: 1,
        273: 8,
        277: 1,
        278: height,
        279: len(pixels),
    }
    entries = [struct.pack('>HHII', tag, 4, 1, n) for tag, n in tags.items()]
    directory = struct.pack('>H', len(tags)) + b''.join(entries) + bytes(4)
    return b'MM\0*' + struct.pack('>I', 8 + len(pixels)) + pixels + directory


def test_twelve_bits_packed_count_as_the_whole_range():
    for module in ('tifffile', 'imagecodecs'):
        pytest.importorskip(module, reason='needs the extra images')
    values = (GREY.astype(np.uint32) * 4095 + 127) // 255
    content = packed_12_bits(values)
    found = open_picture(content)
    assert found.full_range == (0, 4095)
    assert np.array_equal(found.pixels[..., 0], values)
    assert_is_the_scene('grey', ValueMapping().read(content))


def test_an_animated_png_is_not_left_to_opencv(monkeypatch):
    """Of a damaged frame OpenCV 4.11 makes an end of the process."""
    monkeypatch.setattr('cv2.imdecode', lambda *_: pytest.fail('OpenCV'))
    content = content_of('PNG, animated')
    assert_is_the_scene('PNG, animated', ValueMapping().read(content))
    with pytest.raises(BrokenImageError, match='a PNG, but does not decode'):
        ValueMapping().read(content[: len(content) // 4])


def test_a_picture_without_pixels_is_broken(monkeypatch):
    """As tifffile reads some damaged files, by its version."""
    opening = importlib.import_module('mmselfemd.datasets.pictures.opening')
    empty = opening.picture_of(np.zeros((0, 0, 1), np.uint16), 'TIFF')
    monkeypatch.setitem(opening._OPENERS, 'TIFF', lambda content: empty)
    with pytest.raises(BrokenImageError, match='a TIFF without pixels'):
        open_picture(content_of('TIFF, 16 bits of grey'))


@pytest.mark.parametrize(
    'name', ['HEIC', 'AVIF', 'TIFF, 16 bits of grey', 'GIF', 'JPEG XL']
)
def test_damage_anywhere_is_a_broken_image_and_no_other_error(name):
    whole = content_of(name)
    generator = np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole[: generator.integers(1, len(whole) + 1)])
        for _ in range(3):
            place = generator.integers(min(len(content), 400))
            content[place] = generator.integers(256)
        for read in (ValueMapping((0, 9)).read, picture_size):
            try:
                read(bytes(content))
            except BrokenImageError as error:
                assert str(error)


def test_views_of_a_picture_that_is_no_jpeg_are_cut_from_it(tmp_path):
    path = tmp_path / 'image.png'
    path.write_bytes(content_of('PNG, thermal counts of 29000 to 31000'))
    load = LoadImage(lazy=True, value_range=image_kinds.COUNTS)
    results = load(dict(img_path=str(path)))
    views = [dict(size=32, photometric=[])] * 2
    cut = CutViews(views, scale=(1, 1), backend='torch')
    for view in cut(results)['img']:
        assert view.shape == (32, 32, 3) and np.ptp(view) > 128
