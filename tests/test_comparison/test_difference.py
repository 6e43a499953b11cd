"""Intervals hold what they promise, and sentences say it."""

import dataclasses

import numpy as np
import pytest

from mmselfemd.comparison import Difference, estimate_difference, half_width

NUM_IMAGES = 100
#: Spread of a seed, of an image, and of what a seed and an image do together,
#: each of the mean over all images.
NOISES = dict(
    seeds=(1.0, 0.2, 0.2),
    images=(0.2, 1.0, 0.2),
    both=(1.0, 1.0, 1.0),
    together=(0.2, 0.2, 1.0),
)
#: How often each image is drawn, over their number.
_shares = (
    np.random.default_rng(0).multinomial(
        NUM_IMAGES, np.full(NUM_IMAGES, 1 / NUM_IMAGES), 200
    )
    / NUM_IMAGES
)


def simulate(rng, num_seeds, noise, effect=0.0):
    """Additive scores of images: the code is that of detectors' AP."""
    seed, image, both = noise
    root = NUM_IMAGES**0.5
    scores = (
        effect
        + seed * rng.normal(size=(1, num_seeds))
        + image * root * rng.normal(size=(NUM_IMAGES, 1))
        + both * root * rng.normal(size=(NUM_IMAGES, num_seeds))
    )
    return estimate_difference(scores.mean(0), _shares @ scores, NUM_IMAGES)


@pytest.mark.parametrize('num_seeds', [3, 5])
def test_an_interval_covers_a_known_difference(num_seeds):
    for seed, noise in enumerate(NOISES.values()):
        rng = np.random.default_rng(seed)
        found = [simulate(rng, num_seeds, noise, 2.0) for _ in range(1000)]
        covered = [each.low <= 2 <= each.high for each in found]
        assert np.mean(covered) >= 0.93


@pytest.mark.parametrize('num_seeds', [3, 5])
def test_no_difference_is_seldom_taken_for_one(num_seeds):
    claims = []
    for seed, noise in enumerate(NOISES.values()):
        rng = np.random.default_rng(seed + 10)
        claims += [
            simulate(rng, num_seeds, noise).is_clear for _ in range(1000)
        ]
    # Some 4 % of many more tries, so that 4,000 have an error of 0.3 %.
    assert np.mean(claims) <= 0.05


def test_a_bootstrap_over_seeds_would_not_do():
    rng = np.random.default_rng(2)
    covers, ours = [], []
    for _ in range(300):
        differences = rng.normal(size=3)
        drawn = rng.choice(differences, (400, 3)).mean(1)
        low, high = np.percentile(drawn, [2.5, 97.5])
        covers.append(low <= 0 <= high)
        width = half_width(differences.var(ddof=1), 3, 0)
        ours.append(abs(differences.mean()) <= width)
    assert np.mean(covers) < 0.85 < 0.93 < np.mean(ours)


def test_parts_of_the_variance_are_told_apart():
    rng = np.random.default_rng(3)
    found = [simulate(rng, 4, (1.0, 0.5, 2.0)) for _ in range(300)]
    of_seeds, of_images = (
        np.mean([getattr(each, name) for each in found])
        for name in ('seed_variance', 'image_variance')
    )
    # Seeds differ by themselves and by what they do to each image.
    assert of_seeds == pytest.approx(1 + 4, rel=0.15)
    assert of_images == pytest.approx(0.25, rel=0.5)


def test_more_seeds_leave_the_part_of_the_images():
    by_hand = (4.3027**2 * 9 / 3 + 1.96**2 * 4) ** 0.5
    assert half_width(9, 3, 4) == pytest.approx(by_hand, rel=1e-4)
    assert half_width(9, 10**6, 4) == pytest.approx(1.96 * 2, rel=1e-2)
    assert half_width(float('nan'), 1, 4) == pytest.approx(1.96 * 2, rel=1e-2)
    assert half_width(9, 3, 4, num_images=10) > half_width(9, 3, 4)


def test_what_is_detectable_is_shown_in_eight_of_ten_tries():
    rng = np.random.default_rng(4)
    noise = NOISES['both']
    truth = Difference('AP', 0, 0, 0, 5, NUM_IMAGES, 2.0, 1.0)
    effect = truth.detectable()
    shown = [simulate(rng, 5, noise, effect).is_clear for _ in range(500)]
    assert 0.7 < np.mean(shown) < 0.9
    needed = truth.seeds_needed(effect)
    assert needed == 5
    assert truth.seeds_needed(0.5 * effect) is None  # too few images


def example(**values):
    found = Difference('AP50', 0.021, 0.008, 0.035, 3, 200, 1e-5, 1e-5)
    return dataclasses.replace(found, **values)


def test_sentence_of_a_difference():
    assert example().sentence('Self-EMD', 'random initialisation') == (
        'Self-EMD helps by 2.1 AP50 compared with random initialisation '
        '(95 % interval 0.8 to 3.5, 3 seeds).'
    )
    worse = example(mean=-0.021, low=-0.035, high=-0.008)
    assert worse.sentence('A', 'B') == (
        'A hurts by 2.1 AP50 compared with B (95 % interval 0.8 to 3.5, '
        '3 seeds).'
    )


def test_sentence_of_no_difference_says_what_could_be_shown():
    unclear = example(low=-0.008)
    words = unclear.sentence('A', 'B')
    assert words.startswith(
        'No difference between A and B that 3 seeds and 200 images can show '
        '(+2.1 AP50, 95 % interval -0.8 to 3.5)'
    )
    could = f'{100 * unclear.detectable(5):.1f}'
    assert words.endswith(f'5 seeds would show {could} AP50.')
    assert '7 seeds would' in example(low=-1, num_seeds=5).sentence('A', 'B')


def test_sentence_of_images_so_few_that_nothing_could_be_shown():
    found = example(low=-6.3, high=7.3, num_images=2, image_variance=0.3)
    words = found.sentence('A', 'B')
    assert '95 % interval -100.0 to 100.0' in words
    assert words.endswith('5 seeds would show none on images so few.')


def test_detectors_that_find_nothing_are_no_answer():
    words = example(low=-0.008, best=0.004).sentence('A', 'B')
    assert words.startswith(example(low=-0.008).sentence('A', 'B'))
    assert 'Neither finds much yet, at best 0.4 AP50' in words
    assert 'much yet' not in example(best=0.3).sentence('A', 'B')


def test_one_seed_is_too_few_however_clear_the_images():
    one = example(num_seeds=1, seed_variance=float('nan'))
    assert not one.is_clear
    words = one.sentence('A', 'B')
    assert 'one seed is too few' in words and 'helps' not in words
    assert '2.1 AP50 above B' in words and '0.8 to 3.5 over 200' in words
    assert np.isnan(one.detectable(5)) and one.seeds_needed(0.1) is None
    assert one.as_json()['seed_variance'] is None


def test_one_seed_has_the_interval_of_the_images():
    scores = np.random.default_rng(5).normal(size=(NUM_IMAGES, 1))
    found = estimate_difference(scores.mean(0), _shares @ scores, NUM_IMAGES)
    half = 1.984 * scores.std(ddof=1) / NUM_IMAGES**0.5
    assert found.high - found.mean == pytest.approx(half, rel=0.1)


def test_draws_without_a_figure_are_left_out():
    resampled = np.random.default_rng(6).normal(size=(50, 3))
    with_gaps = np.insert(resampled, 7, np.nan, axis=0)
    differences = np.array([0.1, 0.2, 0.3])
    assert estimate_difference(differences, with_gaps, 20) == (
        estimate_difference(differences, resampled, 20)
    )
    none = estimate_difference(differences, resampled * np.nan, 20)
    assert np.isnan(none.low) and not none.is_clear


def test_equal_results_are_said_to_be_equal():
    same = example(mean=0.0, low=0.0, high=0.0)
    words = same.sentence('A', 'B')
    assert words.startswith('No difference at all between A and B')
    assert 'each of 3 seeds' in words and 'would show' not in words
    one = example(mean=0.0, low=0.0, high=0.0, num_seeds=1)
    assert 'each of 1 seed,' in one.sentence('A', 'B')


def test_an_interval_of_what_is_below_is_how_much_below():
    one = example(mean=-0.021, low=-0.035, high=-0.008, num_seeds=1)
    words = one.sentence('A', 'B')
    assert '2.1 AP50 below B (95 % interval 0.8 to 3.5' in words


def test_few_images_that_hold_a_class_tell_its_spread_badly():
    """Scores of 5 images of 100 that hold an object, each drawn or not."""
    rng = np.random.default_rng(7)
    draws = rng.multinomial(100, np.full(100, 0.01), 400)[:, :5]
    draws = draws[draws.sum(1) > 0]

    def cover(num_with_objects):
        covered = []
        for _ in range(400):
            scores = rng.normal(size=(5, 1))
            means = (draws @ scores) / draws.sum(1, keepdims=True)
            found = estimate_difference(
                scores.mean(0), means, 100, 'AP', num_with_objects
            )
            covered.append(found.low <= 0 <= found.high)
        return np.mean(covered)

    assert cover(100) < 0.93
    assert cover(5) >= 0.93


def test_one_image_that_holds_all_shows_nothing_about_others():
    differences = np.array([0.5, 0.5, 0.5])
    found = estimate_difference(
        differences, np.full((50, 3), 0.5), 20, num_with_objects=1
    )
    assert not found.is_clear and found.as_json()['low'] is None
    words = found.sentence('A', 'B')
    assert 'in one image' in words and 'helps' not in words
