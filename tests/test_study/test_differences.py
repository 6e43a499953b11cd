"""Intervals of paired differences hold what they promise."""

import numpy as np
import pytest

from mmselfemd.evaluation import paired_differences
from mmselfemd.study import paired_difference


def mean_of(sums):
    return dict(mean=sums[..., 0] / sums[..., 1])


def simulate(rng, num_seeds, seed_noise, num_images=60, effect=0.0):
    """Sums by image of a candidate and of the baseline, (I, S, 2)."""
    image = rng.normal(size=(num_images, 1))
    seeds = rng.normal(0, seed_noise, (1, num_seeds))
    both = rng.normal(0, 0.5, (num_images, num_seeds))
    values = effect + image + seeds + both
    ones = np.ones_like(values)
    return (
        np.stack([values, ones], -1),
        np.stack([np.zeros_like(values), ones], -1),
    )


@pytest.mark.parametrize('num_seeds', [3, 5])
@pytest.mark.parametrize('seed_noise', [0.0, 0.13, 1.0])
def test_an_interval_covers_the_truth_as_often_as_it_says(
    num_seeds, seed_noise
):
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(400):
        own, other = simulate(rng, num_seeds, seed_noise, effect=0.2)
        estimate = paired_differences(own, other, mean_of, 200)['mean']
        by_seed = own[..., 0].mean(0)
        found = paired_difference(by_seed, estimate.error)
        assert found.mean == pytest.approx(estimate.value)
        covered.append(found.low <= 0.2 <= found.high)
    # 400 tries of 95 %: a standard error of 1.1 %.
    assert np.mean(covered) >= 0.93


def test_images_alone_or_seeds_alone_would_not_do():
    rng = np.random.default_rng(1)
    by_image, by_seed = [], []
    for _ in range(300):
        own, other = simulate(rng, 3, 1.0)
        estimate = paired_differences(own, other, mean_of, 100)['mean']
        by_image.append(estimate.low <= 0 <= estimate.high)
        own, other = simulate(rng, 3, 0.0)
        seeds = paired_difference(own[..., 0].mean(0), 0.0)
        by_seed.append(seeds.low <= 0 <= seeds.high)
    assert np.mean(by_image) < 0.7
    assert np.mean(by_seed) < 0.9


def test_one_seed_has_no_interval():
    found = paired_difference([0.1], 0.01)
    assert found.mean == 0.1
    assert np.isnan([found.low, found.high]).all()
    assert not found.is_clear


def test_clear_is_what_leaves_out_zero():
    assert paired_difference([0.1, 0.11, 0.09], 0.001).is_clear
    assert not paired_difference([0.1, -0.11, 0.09], 0.001).is_clear
