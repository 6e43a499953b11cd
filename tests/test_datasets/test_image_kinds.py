"""Files of every kind are decoded as they should be, or skipped."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from mmselfemd.datasets import CutViews, LoadImage, UnlabelledDataset
from mmselfemd.datasets.transforms.encoded_image import (
    EncodedImage,
    jpeg_size,
)

VIEWS = [dict(size=size, photometric=[]) for size in (64, 64, 32)]


def picture(width=160, height=120):
    """Smooth colours, brightest in one corner."""
    grid = np.random.default_rng(0).integers(0, 256, (3, 4, 3), np.uint8)
    grid[0, 0] = 255
    return Image.fromarray(
        cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    )


def encoded(image, kind='PNG', **kwargs):
    buffer = BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def encoded_16_bit(image):
    pixels = np.asarray(image).astype(np.uint16) * 257
    return cv2.imencode('.png', pixels[..., ::-1])[1].tobytes()


def with_alpha(image):
    image = image.copy()
    image.putalpha(77)
    return image


def frames(image):
    return dict(save_all=True, append_images=[ImageOps.invert(image)])


# What file, and how far its colours may be from the picture's.
KINDS = dict(
    jpeg=(lambda p: encoded(p, 'JPEG', quality=95), 3),
    progressive=(lambda p: encoded(p, 'JPEG', progressive=True), 4),
    cmyk=(lambda p: encoded(p.convert('CMYK'), 'JPEG', quality=95), 4),
    grey_jpeg=(lambda p: encoded(p.convert('L'), 'JPEG', quality=95), None),
    grey=(lambda p: encoded(p.convert('L')), None),
    grey_alpha=(lambda p: encoded(p.convert('LA')), None),
    one_bit=(lambda p: encoded(p.convert('L').convert('1')), None),
    palette=(lambda p: encoded(p.quantize(256)), 4),
    sixteen_bit=(encoded_16_bit, 0),
    alpha=(lambda p: encoded(with_alpha(p)), 0),
    animated_png=(lambda p: encoded(p, **frames(p)), 0),
    animated_webp=(
        lambda p: encoded(p, 'WEBP', lossless=True, **frames(p)),
        0,
    ),
    bmp=(lambda p: encoded(p, 'BMP'), 0),
    trailing_bytes=(lambda p: encoded(p, 'JPEG', quality=95) + b'\0' * 99, 3),
)


def load(tmp_path, content, name='image.jpg', **kwargs):
    (tmp_path / name).write_bytes(content)
    transform = LoadImage(**kwargs)
    results = transform(dict(img_path=str(tmp_path / name)))
    if results is not None and isinstance(results['img'], EncodedImage):
        results['img'] = results['img'].decode()
    return results


@pytest.mark.parametrize('lazy', [False, True])
@pytest.mark.parametrize('kind', KINDS)
def test_decoded_as_bgr_of_8_bits(tmp_path, kind, lazy):
    make, tolerance = KINDS[kind]
    results = load(tmp_path, make(picture()), lazy=lazy)
    found = results['img']
    assert found.dtype == np.uint8 and found.shape == (120, 160, 3)
    assert results['ori_shape'] == (120, 160)
    expected = np.asarray(picture()).astype(float)
    if tolerance is None:  # grey: all channels alike, and as bright
        assert (found == found[..., :1]).all()
        luminance = expected @ (0.299, 0.587, 0.114)
        assert found.mean() == pytest.approx(luminance.mean(), abs=1)
    else:
        assert np.abs(found[..., ::-1] - expected).mean() <= tolerance


@pytest.mark.parametrize('reduction', [1, 2, 4, 8])
@pytest.mark.parametrize('orientation', range(10))
def test_turned_upright_at_every_scale(orientation, reduction):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(picture(661, 483), 'JPEG', quality=95, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(BytesIO(content)))
    assert jpeg_size(content) == upright.size[::-1]
    image = EncodedImage(content, jpeg_size(content), pytest.fail)
    found = image.decode(reduction)[..., ::-1]
    assert found.shape[1::-1] == tuple(
        -(-s // reduction) for s in upright.size
    )
    expected = upright.resize(found.shape[1::-1], Image.Resampling.BOX)
    assert np.abs(found - np.asarray(expected, float)).mean() < 4


def png_that_claims(width, height):
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    chunk = b'IHDR' + header
    crc = struct.pack('>I', zlib.crc32(chunk))
    return b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + crc


def jpeg_that_claims(width, height):
    content = encoded(picture(), 'JPEG')
    frame = content.index(b'\xff\xc0') + 5  # height and width follow
    size = struct.pack('>HH', height, width)
    return content[:frame] + size + content[frame + 4 :]


JPEG = encoded(picture(), 'JPEG')
BROKEN = dict(
    empty=(b'', 'is empty'),
    text=(b'not an image', 'not decode'),
    header_only=(JPEG[:200], 'not decode'),
    half=(JPEG[: len(JPEG) // 2], 'not decode'),
    last_bytes_missing=(JPEG[:-20], 'not decode'),
    half_png=(encoded(picture())[:9000], 'not decode'),
    half_gif=(encoded(picture(), 'GIF')[:4000], 'a GIF, but does not decode'),
    huge_png=(png_that_claims(60000, 60000), ''),
    huge_jpeg=(jpeg_that_claims(60000, 60000), '60000 x 60000'),
    # Within OpenCV's own limit: it would fill 2.7 GB with grey.
    large_jpeg=(jpeg_that_claims(30000, 30000), '30000 x 30000'),
)


@pytest.mark.parametrize('lazy', [False, True])
@pytest.mark.parametrize('kind', BROKEN)
def test_broken_ones_are_skipped_and_named(tmp_path, logged, kind, lazy):
    content, reason = BROKEN[kind]
    (tmp_path / 'image.jpg').write_bytes(content)
    transform = LoadImage(lazy=lazy)
    results = transform(dict(img_path=str(tmp_path / 'image.jpg')))
    if results is not None:  # a whole header, so that it shows when decoded
        results = CutViews(VIEWS)(results)
    assert results is None and transform.broken.num_broken == 1
    assert len(logged) == 1 and 'image.jpg' in logged[0]
    assert reason in logged[0] and 'takes its place' in logged[0]


@pytest.mark.parametrize('lazy', [False, True])
@pytest.mark.parametrize('backend', ['pillow', 'torch'])
@pytest.mark.parametrize('size', [(1, 5000), (5000, 1), (1, 1), (3, 2)])
def test_an_image_of_one_pixel_across_gives_views(
    tmp_path, size, backend, lazy
):
    colour = (30, 120, 200)
    content = encoded(Image.new('RGB', size, colour), 'JPEG', quality=95)
    (tmp_path / 'thin.jpg').write_bytes(content)
    results = LoadImage(lazy=lazy)(dict(img_path=str(tmp_path / 'thin.jpg')))
    results = CutViews(VIEWS, backend=backend)(results)
    for view, expected in zip(results['img'], (64, 64, 32), strict=True):
        assert view.shape == (expected, expected, 3)
        assert np.abs(view[..., ::-1] - np.float64(colour)).max() < 5


@pytest.mark.parametrize('lazy', [False, True])
def test_a_folder_of_all_of_these(tmp_path, our_scope, logged, lazy):
    folder = tmp_path / 'images'
    folder.mkdir()
    whole = [f'{kind}.jpg' for kind in KINDS]
    for kind, (make, _) in KINDS.items():
        (folder / f'{kind}.jpg').write_bytes(make(picture()))
    for kind, (content, _) in BROKEN.items():
        (folder / f'{kind}.jpg').write_bytes(content)
    (folder / 'folder.jpg').mkdir()
    (folder / 'dangling.jpg').symlink_to(folder / 'nowhere.jpg')
    names = sorted(path.name for path in folder.iterdir())
    (tmp_path / 'list.txt').write_text('\n'.join(names))
    pipeline = [
        dict(type='LoadImage', lazy=lazy, max_warnings=100),
        dict(type='CutViews', views=VIEWS, backend='torch'),
    ]
    from_list = UnlabelledDataset(
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=str(folder),
        pipeline=pipeline,
    )
    assert len(from_list) == len(KINDS) + len(BROKEN) + 2
    for number, name in enumerate(names):
        item = from_list[number]
        found = item['img_path'].rsplit('/', 1)[-1]
        assert found == name if name in whole else found in whole
        assert [view.shape[0] for view in item['img']] == [64, 64, 32]
    for name in set(names) - set(whole):
        assert any(f'/{name}:' in line for line in logged), name
    # A folder and a dangling link are not even found by walking.
    walked = UnlabelledDataset(str(folder), pipeline=pipeline)
    assert len(walked) == len(KINDS) + len(BROKEN)


def large_gradient(width=3000, height=2000):
    """Column in the first channel, row in the second, in eighths."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width) * 256 // width
    pixels[..., 1] = (np.arange(height) * 256 // height)[:, None]
    return encoded(Image.fromarray(pixels), 'JPEG', quality=98, subsampling=0)


def test_a_large_photograph_is_decoded_at_the_scale_its_crops_allow(
    tmp_path, monkeypatch
):
    (tmp_path / 'large.jpg').write_bytes(large_gradient())
    used = []
    decode = EncodedImage.decode
    monkeypatch.setattr(
        EncodedImage,
        'decode',
        lambda image, reduction: (
            used.append(reduction) or decode(image, reduction)
        ),
    )
    for _ in range(12):
        results = LoadImage(lazy=True)(
            dict(img_path=str(tmp_path / 'large.jpg'))
        )
        results = CutViews(VIEWS, backend='torch')(results)
        assert results['ori_shape'] == (2000, 3000)
        for pixels, view in zip(results['img'], results['views'], strict=True):
            left, top, width, height = view['box']
            assert left >= 0 and left + width <= 3000
            assert top >= 0 and top + height <= 2000
            # Twice the pixels of its view, or more.
            assert min(width, height) >= 2 * used[-1] * view['size']
            size, inner = view['size'], slice(4, -4)
            x = left + (np.arange(size) + 0.5) / size * width
            x = x[::-1] if view['flip'] else x
            y = top + (np.arange(size) + 0.5) / size * height
            found = pixels[..., ::-1]
            assert found[size // 2, inner, 0] == pytest.approx(
                x[inner] * 256 / 3000 - 0.5, abs=2
            )
            assert found[inner, size // 2, 1] == pytest.approx(
                y[inner] * 256 / 2000 - 0.5, abs=2
            )
    assert set(used) <= {2, 4, 8} and len(set(used)) > 1


def test_without_need_nothing_is_reduced(tmp_path):
    """At the usual size of photographs the pixels stay as they are."""
    content = encoded(picture(), 'JPEG')
    (tmp_path / 'small.jpg').write_bytes(content)
    path = dict(img_path=str(tmp_path / 'small.jpg'))
    results = []
    for lazy in (False, True):
        import torch

        torch.manual_seed(0)
        np.random.seed(0)
        results.append(CutViews(VIEWS)(LoadImage(lazy=lazy)(dict(path))))
    assert results[0]['views'] == results[1]['views']
    for eager, lazy in zip(results[0]['img'], results[1]['img'], strict=True):
        assert np.array_equal(eager, lazy)


def test_a_header_that_does_not_fit_its_content_is_reported():
    reasons = []
    image = EncodedImage(JPEG, (50, 60), reasons.append)
    assert image.shape == (50, 60, 3)
    assert image.decode() is None and 'promises' in reasons[0]
