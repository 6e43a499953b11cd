"""Colours of rare files: read right, or refused, and not taken for RGB."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from mmselfemd.datasets.pictures import ValueMapping, open_picture
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError

tifffile = pytest.importorskip('tifffile', reason='needs the extra images')
pytest.importorskip('imagecodecs', reason='needs the extra images')

RAMP = np.linspace(0, 255, 48 * 64).reshape(48, 64).astype(np.uint8)
SCENE = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], -1)
PALETTE_IMAGE = Image.fromarray(SCENE).quantize(64)
PALETTE = np.zeros((3, 256), np.uint16)
PALETTE[:, :64] = np.reshape(PALETTE_IMAGE.getpalette()[:192], (64, 3)).T


def by_tifffile(pixels, **kwargs):
    buffer = BytesIO()
    tifffile.imwrite(buffer, pixels, **kwargs)
    return buffer.getvalue()


def by_pillow(image, kind, **kwargs):
    buffer = BytesIO()
    image.save(buffer, kind, **kwargs)
    return buffer.getvalue()


def read(content, **settings):
    """RGB."""
    return ValueMapping(**settings).read(content)[..., ::-1]


@pytest.mark.parametrize(
    'dtype, kwargs',
    [
        ('u1', dict(bigtiff=True, byteorder='>')),
        ('u1', dict(compression='png')),
        ('u2', dict()),
    ],
)
def test_a_palette_that_pillow_does_not_open_gives_its_colours(dtype, kwargs):
    palette = np.zeros((3, 256 if dtype == 'u1' else 65536), np.uint16)
    palette[:, :256] = PALETTE * 257
    content = by_tifffile(
        np.asarray(PALETTE_IMAGE).astype(dtype),
        photometric='palette',
        colormap=palette,
        **kwargs,
    )
    assert np.array_equal(read(content), PALETTE_IMAGE.convert('RGB'))


@pytest.mark.parametrize('compression', [None, 'zstd'])
def test_lab_has_the_colours_of_its_scene(compression):
    lab = ImageCms.profileToProfile(
        Image.fromarray(SCENE),
        ImageCms.createProfile('sRGB'),
        ImageCms.createProfile('LAB'),
        outputMode='LAB',
    )
    content = by_pillow(lab, 'TIFF', compression=compression)
    assert np.abs(read(content) - SCENE.astype(float)).mean() < 2


@pytest.mark.parametrize('settings', [{}, dict(bands=(0, 1, 2))])
@pytest.mark.parametrize(
    'photometric, name, bands',
    [('cielab', 'Lab', 3), ('separated', 'CMYK', 4)],
)
def test_other_colours_of_16_bits_are_refused(
    photometric, name, bands, settings
):
    pixels = np.repeat(RAMP[..., None], bands, 2).astype(np.uint16) * 257
    content = by_tifffile(pixels, photometric=photometric)
    with pytest.raises(BrokenImageError, match=f'{name}.*write it as RGB'):
        read(content, **settings)


@pytest.mark.parametrize('kind', ['JPEG', 'TIFF', 'PNG'])
def test_a_grey_one_stays_grey_whichever_colours_are_picked(kind):
    content = by_pillow(Image.fromarray(RAMP), kind)
    assert open_picture(content).num_bands == 1
    assert np.array_equal(read(content, bands=(2, 0, 1)), read(content))
    with pytest.raises(BrokenImageError, match=r'bands=\(5, 3, 1\) names'):
        read(content, bands=(5, 3, 1))


def test_floats_that_opencv_decodes_are_no_8_bit_image():
    values = np.array([0.2, 0.9], '<f4')
    content = b'Pf\n2 1\n-1.0\n' + values.tobytes()
    with pytest.raises(BrokenImageError, match=r'value_range=\(low, high\)'):
        read(content)
    pixels = read(content, value_range=(0.2, 0.9))
    assert pixels[..., 0].tolist() == [[0, 255]]
