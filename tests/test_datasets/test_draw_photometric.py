"""The draws, beside those of the transforms of a single image."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import TRANSFORMS
from scipy.stats import ks_2samp, kstest

from mmselfemd.datasets import CutViews, DrawPhotometric

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets'
COUNT = 3000
# Of a share of COUNT draws: five standard deviations.
SPREAD = 5 * 0.5 / COUNT**0.5


def drawn(**kwargs):
    draw = DrawPhotometric(**kwargs)
    return [draw(dict())['photometric'] for _ in range(COUNT)]


def share(changes, name):
    return np.mean([name in each for each in changes])


def test_probabilities_and_ranges():
    changes = drawn(blur_prob=0.1, solarise_prob=0.2)
    for name, prob in dict(
        jitter=0.8, grey=0.2, blur=0.1, solarise=0.2
    ).items():
        assert share(changes, name) == pytest.approx(prob, abs=SPREAD), name
    jitters = [dict(each['jitter']) for each in changes if 'jitter' in each]
    for name, low, width in (
        ('brightness', 0.6, 0.8),
        ('contrast', 0.6, 0.8),
        ('saturation', 0.8, 0.4),
        ('hue', -0.1, 0.2),
    ):
        values = [each[name] for each in jitters]
        assert kstest(values, 'uniform', (low, width)).pvalue > 1e-4, name
    sigmas = [each['blur'] for each in drawn()]
    assert kstest(sigmas, 'uniform', (0.1, 1.9)).pvalue > 1e-4
    assert {each['solarise'] for each in changes if 'solarise' in each} == {
        128
    }


def test_every_order_is_as_likely():
    orders = [
        tuple(name for name, _ in each['jitter'])
        for each in drawn(jitter_prob=1.0)
    ]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    expected = COUNT / 24
    assert ((counts - expected) ** 2 / expected).sum() < 60  # chi2, 23: 4e-5


def test_draws_are_independent():
    changes = drawn(blur_prob=0.5, solarise_prob=0.5)
    flags = np.array(
        [
            [name in each for name in ('jitter', 'grey', 'blur', 'solarise')]
            for each in changes
        ]
    )
    correlations = np.corrcoef(flags.T) - np.eye(4)
    assert np.abs(correlations).max() < 5 / COUNT**0.5


@pytest.mark.parametrize('number', [0, 1, 2])
def test_the_config_draws_as_the_one_on_the_host(number, our_scope):
    """Same figures, and the same values from mmpretrain's own transforms."""
    on_host, on_device = (
        Config.fromfile(CONFIGS / f'{name}.py').train_pipeline[1]
        for name in ('coco_views_on_host', 'coco_views')
    )
    for key in ('scale', 'ratio', 'flip_prob'):
        assert on_host[key] == on_device[key]
    theirs, ours = (cut['views'][number] for cut in (on_host, on_device))
    assert theirs['size'] == ours['size']
    draw = TRANSFORMS.build(ours['photometric'][0])
    jitter, grey, *rest = theirs['photometric']
    assert draw.jitter_prob == jitter['prob']
    assert draw.grey_prob == grey['prob']
    assert draw.blur_prob == rest[0]['prob']
    solarise = rest[1] if len(rest) > 1 else dict(prob=0.0, thr=128)
    assert draw.solarise_prob == solarise['prob']
    assert draw.solarise_threshold == solarise['thr']
    sampler = TRANSFORMS.build(jitter['transforms'][0])
    sampled = [sampler._rand_params()[1:] for _ in range(COUNT)]
    draw.jitter_prob = draw.blur_prob = 1.0
    changes = [draw(dict())['photometric'] for _ in range(COUNT)]
    for column, name in enumerate(
        ('brightness', 'contrast', 'saturation', 'hue')
    ):
        values = [dict(each['jitter'])[name] for each in changes]
        reference = [each[column] for each in sampled]
        assert ks_2samp(values, reference).pvalue > 1e-4, name
    blur = TRANSFORMS.build(rest[0])
    radii = [blur.random_magnitude() for _ in range(COUNT)]
    sigmas = [each['blur'] for each in changes]
    assert ks_2samp(sigmas, radii).pvalue > 1e-4


def test_an_amount_of_zero_is_not_drawn():
    jitter = drawn(hue=0, contrast=0, jitter_prob=1)[0]['jitter']
    assert sorted(dict(jitter)) == ['brightness', 'saturation']
    assert dict(drawn(brightness=3, jitter_prob=1)[0]['jitter'])
    assert (
        min(
            dict(each['jitter'])['brightness']
            for each in drawn(brightness=3, jitter_prob=1)
        )
        >= 0
    )


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('brightness', -1),
        ('hue', 0.6),
        ('jitter_prob', 1.5),
        ('blur_prob', '1'),
        ('blur_sigma', (0, 2)),
        ('blur_sigma', (2, 1)),
    ],
)
def test_what_cannot_be_is_named(name, value):
    with pytest.raises(
        ValueError,
        match=f'{name} must .* {value!r}'.replace('(', r'\(').replace(
            ')', r'\)'
        ),
    ):
        DrawPhotometric(**{name: value})


def test_stands_in_the_metainfo_beside_the_geometry(our_scope):
    view = dict(
        size=16,
        photometric=[dict(type='DrawPhotometric', jitter_prob=1.0)],
    )
    plain = dict(size=16, photometric=[])
    image = np.random.randint(0, 256, (60, 80, 3), np.uint8)
    results = CutViews([view, plain], backend='torch')(dict(img=image))
    first, second = results['views']
    assert {'jitter', 'blur'} <= first['photometric'].keys()
    assert 'photometric' not in second and second['size'] == 16


def test_comes_from_the_generators_of_the_host(our_scope):
    view = dict(size=16, photometric=[dict(type='DrawPhotometric')])
    cut = CutViews([view, view])
    image = np.zeros((60, 80, 3), np.uint8)

    def views(seed):
        import torch

        np.random.seed(seed)
        torch.manual_seed(seed)
        return cut(dict(img=image))['views']

    assert views(1) == views(1) != views(2)
