"""Colours changed in batches, beside torchvision's, image by image."""

import numpy as np
import pytest
import torch
import torchvision.transforms.v2.functional as reference
from mmpretrain.structures import DataSample

from mmselfemd.datasets import DrawPhotometric
from mmselfemd.models import PhotometricPreprocessor
from mmselfemd.models.data_preprocessors.photometric_preprocessor import (
    change_colours,
)

# Grey levels of 255. Both work in float32 and round nothing.
TOLERANCE = 2e-3
# torchvision rounds a uint8 image down after every operation: half a level on
# average, up to one, for each of five or so; contrast and the like widen it.
ROUNDING = 6

FACTORS = dict(
    brightness=(0.0, 0.6, 1.0, 1.4),
    contrast=(0.0, 0.6, 1.0, 1.4),
    saturation=(0.0, 0.8, 1.0, 1.8),
    hue=(-0.5, -0.1, 0.0, 0.07),
)
FUNCTIONS = dict(
    brightness=reference.adjust_brightness,
    contrast=reference.adjust_contrast,
    saturation=reference.adjust_saturation,
    hue=reference.adjust_hue,
)


def textures(count=4, size=40):
    """Smooth colours, with pixels that are grey, black, white or pure."""
    images = torch.nn.functional.interpolate(
        torch.rand(count, 3, 5, 5) * 255, size, mode='bicubic'
    ).clamp(0, 255)
    images = images.round()
    images[:, :, 0, :4] = torch.tensor([0.0, 255, 128, 77])
    images[:, :, 1, :3] = 255 * torch.eye(3)
    return images


def by_torchvision(image, changes):
    """One image (3, H, W) in [0, 1], changed as drawn."""
    for name, factor in changes.get('jitter', ()):
        image = FUNCTIONS[name](image, factor)
    if 'grey' in changes:
        image = reference.rgb_to_grayscale(image, num_output_channels=3)
    if 'blur' in changes:
        kernel = 2 * (image.shape[-1] // 20) + 1
        image = reference.gaussian_blur(image, kernel, changes['blur'])
    if 'solarise' in changes:
        threshold = changes['solarise']
        if image.is_floating_point():
            threshold = threshold / 255
        image = reference.solarize(image, threshold)
    return image


def assert_as_torchvision(images, changes):
    found = change_colours(images.clone(), changes)
    for image, change, result in zip(images, changes, found, strict=True):
        expected = 255 * by_torchvision(image / 255, change)
        torch.testing.assert_close(result, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize('name', FACTORS)
def test_each_jitter_is_torchvisions(name):
    assert_as_torchvision(
        textures(), [dict(jitter=[(name, each)]) for each in FACTORS[name]]
    )


@pytest.mark.parametrize('size', [40, 112, 224])
def test_blur_is_torchvisions_with_a_kernel_of_each_image(size):
    changes = [dict(blur=sigma) for sigma in (0.1, 0.7, 1.3, 2.0)]
    assert_as_torchvision(textures(size=size), changes)


def test_the_kernel_at_224_is_byols_of_23_pixels():
    point = torch.zeros(1, 3, 224, 224)
    point[..., 112, 112] = 255
    found = change_colours(point, [dict(blur=1e3)])
    assert (found[0, 0] > 0).sum() == 23 * 23


def test_grey_and_solarise_are_torchvisions():
    changes = [dict(grey=1.0), dict(solarise=128), dict(), dict(solarise=60)]
    assert_as_torchvision(textures(), changes)


def test_blur_comes_before_solarise():
    images, changes = textures(1), dict(blur=1.3, solarise=128)
    (found,) = change_colours(images.clone(), [changes])
    expected = 255 * by_torchvision(images[0] / 255, changes)
    # A threshold that one of them just misses inverts a value.
    blurred = 255 * by_torchvision(images[0] / 255, dict(blur=1.3))
    sure = (blurred - 128).abs() > 0.01
    torch.testing.assert_close(
        found[sure], expected[sure], atol=TOLERANCE, rtol=0
    )


def test_what_was_not_drawn_is_left_alone():
    images = textures()
    changes = [dict(), dict(jitter=[]), dict(blur=1.0), dict()]
    found = change_colours(images.clone(), changes)
    assert torch.equal(found[[0, 1, 3]], images[[0, 1, 3]])
    assert not torch.equal(found[2], images[2])


def drawn(count, **kwargs):
    draw = DrawPhotometric(**kwargs)
    return [draw(dict())['photometric'] for _ in range(count)]


def test_all_together_in_any_order_are_torchvisions():
    changes = drawn(48, grey_prob=0.3, blur_prob=0.5, solarise_prob=0.0)
    orders = {tuple(name for name, _ in c.get('jitter', ())) for c in changes}
    assert len(orders) > 12
    assert_as_torchvision(textures(48), changes)


def test_what_rounding_does():
    """The per-image path rounds to whole levels after each operation."""
    images = textures(48)
    changes = drawn(48, blur_prob=0.5)
    found = change_colours(images.clone(), changes)
    expected = torch.stack(
        [
            by_torchvision(image.byte(), change)
            for image, change in zip(images, changes, strict=True)
        ]
    )
    apart = found - expected
    assert 0.5 < apart.mean() < 2 and apart.abs().quantile(0.999) < ROUNDING


def batch_of(images, changes):
    """As the data loader hands it over: BGR, uint8."""
    views = [images.flip(1).byte(), images.flip(1).byte()]
    samples = [
        DataSample(metainfo=dict(views=[dict(photometric=c), dict(size=40)]))
        for c in changes
    ]
    return dict(inputs=views, data_samples=samples)


def preprocessor():
    return PhotometricPreprocessor(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True,
    )


def test_makes_a_batch_ready():
    images, changes = textures(16), drawn(16, solarise_prob=0.5)
    model = preprocessor()
    batch = batch_of(images, changes)
    kept = [view.clone() for view in batch['inputs']]
    for training in (True, False):
        result = model(batch, training)
        assert result['data_samples'] is not None
        changed, plain = result['inputs']
        expected = change_colours(images.clone(), changes)
        torch.testing.assert_close(
            changed, (expected - model.mean) / model.std
        )
        # A view without parameters is normalised alone.
        torch.testing.assert_close(plain, (images - model.mean) / model.std)
    assert all(map(torch.equal, kept, batch['inputs']))


def test_a_batch_of_floats_stays_as_it_was():
    batch = batch_of(textures(), drawn(4))
    batch['inputs'] = [view.float() for view in batch['inputs']]
    kept = [view.clone() for view in batch['inputs']]
    model = preprocessor()
    model._channel_conversion = False  # nothing else would copy them
    model(batch)
    assert all(map(torch.equal, kept, batch['inputs']))


def test_samples_of_other_pipelines_are_normalised_alone():
    model, images = preprocessor(), textures()
    expected = (images - model.mean) / model.std
    batch = dict(inputs=[images.flip(1).byte()])
    for samples in ([DataSample()] * 4, None):
        found = model(batch | dict(data_samples=samples))['inputs'][0]
        torch.testing.assert_close(found, expected)


def test_autocast_changes_nothing():
    model = preprocessor()
    batch = batch_of(textures(), drawn(4))
    expected = model(batch)['inputs'][0]
    with torch.autocast('cpu', torch.bfloat16):
        found = model(batch)['inputs'][0]
    assert found.dtype == torch.float32 and torch.equal(found, expected)


def test_draws_nothing_itself():
    batch = batch_of(textures(), drawn(4, solarise_prob=0.5))
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()
    preprocessor()(batch, True)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_a_single_batch_of_images_is_normalised():
    model, images = preprocessor(), textures()
    found = model(dict(inputs=images.flip(1).byte(), data_samples=None))
    torch.testing.assert_close(
        found['inputs'], (images - model.mean) / model.std
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_the_same_on_a_gpu_without_waiting_for_it():
    images, changes = textures(16), drawn(16, solarise_prob=0.5)
    on_device = images.cuda()
    torch.cuda.set_sync_debug_mode('error')
    try:
        found = change_colours(on_device, changes)
    finally:
        torch.cuda.set_sync_debug_mode('default')
    found = found.cpu()
    expected = change_colours(images.clone(), changes)
    # A threshold that one of them just misses inverts a value.
    assert ((found - expected).abs() > TOLERANCE).float().mean() < 1e-3
