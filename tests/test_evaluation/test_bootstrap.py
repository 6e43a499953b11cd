"""Standard errors and paired differences over images."""

import numpy as np
import pytest
from scipy import stats

from mmselfemd.evaluation import bootstrap, paired_differences
from mmselfemd.evaluation.comparison import compare


def share(sums):
    """Hits over nodes."""
    return dict(share=sums[..., 0] / sums[..., 1])


def images(generator, num=150, correlation=0.3, unequal=True):
    """Nodes of an image that are alike: a beta-binomial draw, mean 0.3."""
    counts = generator.integers(5, 50, num) if unequal else np.full(num, 30)
    scale = 1 / correlation - 1
    ease = generator.beta(0.3 * scale, 0.7 * scale, num)
    return (
        ease,
        counts,
        np.stack([generator.binomial(counts, ease), counts], 1),
    )


def test_error_is_the_spread_over_data_sets_and_the_binomial_one_is_not():
    generator = np.random.default_rng(0)
    draws = [images(generator)[2] for _ in range(300)]
    estimates = [bootstrap(sums, share, 200)['share'] for sums in draws]
    values = np.array([estimate.value for estimate in estimates])
    stated = np.mean([estimate.error for estimate in estimates])
    spread = values.std(ddof=1)
    assert stated == pytest.approx(spread, rel=0.15)
    nodes = np.mean([sums[:, 1].sum() for sums in draws])
    assert (0.3 * 0.7 / nodes) ** 0.5 < spread / 2
    covered = np.mean([e.low <= 0.3 <= e.high for e in estimates])
    assert covered == pytest.approx(0.95, abs=0.04)


def test_independent_nodes_have_the_binomial_error():
    generator = np.random.default_rng(0)
    counts = generator.integers(5, 50, 400)
    sums = np.stack([generator.binomial(counts, 0.3), counts], 1)
    error = bootstrap(sums, share)['share'].error
    binomial = (0.3 * 0.7 / counts.sum()) ** 0.5
    assert error == pytest.approx(binomial, rel=0.15)


def test_it_is_the_bootstrap_of_scipy():
    _, _, sums = images(np.random.default_rng(0))
    expected = stats.bootstrap(
        (np.arange(len(sums)),),
        lambda chosen: share(sums[chosen].sum(0))['share'],
        vectorized=False,
        n_resamples=4000,
        method='percentile',
        random_state=np.random.default_rng(1),
    )
    found = bootstrap(sums, share, 4000)['share']
    assert found.value == sums[:, 0].sum() / sums[:, 1].sum()
    assert found.error == pytest.approx(expected.standard_error, rel=0.05)
    interval = expected.confidence_interval
    near = found.error / 5
    assert found.low == pytest.approx(interval.low, abs=near)
    assert found.high == pytest.approx(interval.high, abs=near)


def checkpoints(generator, better=0.05):
    """Two networks for which the same images are hard."""
    ease, counts, first = images(generator)
    hits = generator.binomial(counts, np.minimum(ease + better, 1))
    return first, np.stack([hits, counts], 1)


def test_a_paired_difference_is_more_certain_than_its_parts():
    generator = np.random.default_rng(0)
    pairs = [checkpoints(generator) for _ in range(300)]
    found = [paired_differences(b, a, share, 200)['share'] for a, b in pairs]
    spread = np.std([estimate.value for estimate in found], ddof=1)
    stated = np.mean([estimate.error for estimate in found])
    assert stated == pytest.approx(spread, rel=0.15)
    first, second = pairs[0]
    parts = [bootstrap(part, share)['share'] for part in (first, second)]
    unpaired = np.hypot(*(part.error for part in parts))
    paired = paired_differences(second, first, share)['share']
    assert paired.value == pytest.approx(parts[1].value - parts[0].value)
    assert paired.error < unpaired / 2


def test_a_network_does_not_differ_from_itself():
    _, _, sums = images(np.random.default_rng(0))
    assert paired_differences(sums, sums, share)['share'] == (0, 0, 0, 0)


def test_seeds_of_a_recipe_are_averaged_over_the_same_images():
    generator = np.random.default_rng(0)
    ease, counts, _ = images(generator)
    hits = generator.binomial(counts[:, None], ease[:, None], (150, 3))
    seeds = np.stack([hits, np.broadcast_to(counts[:, None], (150, 3))], -1)
    apart = [bootstrap(seeds[:, i], share)['share'] for i in range(3)]
    together = bootstrap(seeds, share)['share']
    assert together.value == pytest.approx(np.mean([e.value for e in apart]))
    # The images are the same: three seeds are not three times as many.
    assert together.error > 0.8 * apart[0].error
    # The same three, one by one: as many seeds need not be on both sides.
    difference = paired_differences(seeds, seeds[:, :1], share)['share']
    assert difference.value == pytest.approx(together.value - apart[0].value)


def test_what_cannot_be_known_is_nan():
    one = np.array([[3, 10]])
    estimate = bootstrap(one, share)['share']
    assert estimate.value == 0.3 and np.isnan(estimate[1:]).all()
    with pytest.raises(ValueError, match='no image'):
        bootstrap(one[:0], share)
    with pytest.raises(ValueError, match='on 1 image .* on 2'):
        paired_differences(one, one.repeat(2, 0), share)


def test_networks_are_compared_with_the_reference_once_it_is_there():
    first, second = checkpoints(np.random.default_rng(0))
    early = compare(dict(untrained=first), share, 'a.pth')
    assert set(early['untrained']) == {'share', 'share_error'}
    later = compare({'untrained': first, 'a.pth': second}, share, 'a.pth')
    assert 'differences' not in later['a.pth']
    found = later['untrained']['differences']['a.pth']['share']
    expected = paired_differences(first, second, share)['share']
    assert found == expected._asdict()
    assert found['value'] < 0
