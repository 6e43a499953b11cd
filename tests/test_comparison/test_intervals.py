"""Detectors compared by the matches of their evaluations."""

import numpy as np
import pytest
from made_up_detections import (
    copy_images,
    evaluate,
    index,
    make_annotations,
    make_results,
)

from mmselfemd.comparison import (
    METRICS,
    DetectionMatches,
    compare,
    compare_classes,
    compare_metrics,
)
from mmselfemd.errors import UserError


def runs_of(rng, content, skill, num_seeds=3, spread=0.03, luck=None):
    """Matches of several seeds, whose skill differs."""
    annotations = index(content)
    return [
        DetectionMatches.from_results(
            make_results(
                rng, content, skill + rng.normal(0, spread), luck=luck
            ),
            annotations,
        )
        for _ in range(num_seeds)
    ]


@pytest.fixture(scope='module')
def content():
    return make_annotations(np.random.default_rng(0), 20, 2)


@pytest.fixture(scope='module')
def pair(content):
    rng = np.random.default_rng(1)
    return [runs_of(rng, content, skill) for skill in (0.85, 0.4)]


def test_a_clear_difference_is_shown(pair):
    found = compare(*pair, resamples=200)
    by_seed = [
        one.average_precision()['AP50'] - other.average_precision()['AP50']
        for one, other in zip(*pair, strict=True)
    ]
    assert found.mean == pytest.approx(np.mean(by_seed))
    assert found.is_clear and found.low > 0
    better = [one.average_precision()['AP50'] for one in pair[0]]
    assert found.best == pytest.approx(np.mean(better))
    assert (found.num_seeds, found.num_images) == (3, 20)
    assert compare(*pair, resamples=200) == found
    backwards = compare(*pair[::-1], resamples=200)
    assert backwards.mean == -found.mean
    assert backwards.best == found.best
    assert backwards.high == pytest.approx(-found.low)


def test_who_is_compared_with_itself_has_no_difference(pair):
    found = compare(pair[0], pair[0], resamples=50)
    assert (found.mean, found.low, found.high) == (0, 0, 0)
    assert not found.is_clear


def test_the_spread_over_images_is_that_of_evaluating_each_draw(content):
    """COCOeval a resample, which is what matches save."""
    rng = np.random.default_rng(2)
    results = [make_results(rng, content, skill) for skill in (0.8, 0.5)]
    one, other = (
        DetectionMatches.from_results(each, index(content)) for each in results
    )
    found = compare([one], [other], 'AP', resamples=6)
    draws = np.random.default_rng(0).multinomial(20, np.full(20, 1 / 20), 6)
    slow = [
        np.subtract(
            *(
                evaluate(*copy_images(content, each, draw)).stats[0]
                for each in results
            )
        )
        for draw in draws
    ]
    count = found.num_with_objects
    assert found.image_variance == pytest.approx(
        np.var(slow, ddof=1) * count / (count - 1)
    )


def test_several_figures_and_classes(pair):
    found = compare_metrics(*pair, resamples=50)
    assert list(found) == list(METRICS)
    assert found['AP75'] == compare(*pair, 'AP75', resamples=50)
    classes = compare_classes(*pair, 'AP50', resamples=50)
    assert list(classes) == ['thing 0', 'thing 1']  # others have no object
    mean = np.mean([each.mean for each in classes.values()])
    assert mean == pytest.approx(found['AP50'].mean)


def test_sizes_that_there_are_not():
    rng = np.random.default_rng(3)
    content = make_annotations(rng, 10)
    for each in content['annotations']:
        each['area'] = 500.0
    runs = [runs_of(rng, content, 0.5, 2) for _ in range(2)]
    with pytest.raises(UserError, match='AP_large does not exist'):
        compare(*runs, 'AP_large', resamples=10)
    assert 'AP_large' not in compare_metrics(*runs, resamples=10)


def test_only_pairs_are_compared(pair, content):
    first, second = pair
    with pytest.raises(UserError, match='3 runs of the first and 2'):
        compare(first, second[:2])
    with pytest.raises(UserError, match='0 runs'):
        compare([], [])
    rng = np.random.default_rng(4)
    others = make_annotations(rng, 25, 2)
    with pytest.raises(UserError, match='20 images and another on 25'):
        compare(first[:1], runs_of(rng, others, 0.5, 1))
    renamed = dict(content, annotations=content['annotations'][:-3])
    with pytest.raises(UserError, match='not the same'):
        compare(first[:1], runs_of(rng, renamed, 0.5, 1))


def test_one_image_is_too_few():
    rng = np.random.default_rng(5)
    content = make_annotations(rng, 3)
    content['images'] = content['images'][:1]
    content['annotations'] = [
        dict(each, image_id=content['images'][0]['id'])
        for each in content['annotations']
    ]
    runs = [runs_of(rng, content, 0.5, 1) for _ in range(2)]
    with pytest.raises(UserError, match='at least 2'):
        compare(*runs)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize('skills', [(0.6, 0.6), (0.7, 0.55)])
def test_detectors_of_a_known_difference(skills):
    """Seeds differ in skill, images in how hard they are."""
    found = []
    for trial in range(120):
        rng = np.random.default_rng(trial)
        content = make_annotations(rng, 25, 2, crowd=0)
        luck = {each['id']: rng.normal(0, 0.15) for each in content['images']}
        runs = [
            runs_of(rng, content, skill, spread=0.05, luck=luck)
            for skill in skills
        ]
        found.append(compare(*runs, resamples=100))
    # Of two that are alike it is known, else well known from so many.
    truth = 0 if skills[0] == skills[1] else np.mean([f.mean for f in found])
    covered = np.mean([f.low <= truth <= f.high for f in found])
    # 120 tries of 95 %: a standard error of 2 %.
    assert covered >= 0.93
    if truth == 0:
        assert np.mean([f.is_clear for f in found]) <= 0.05


@pytest.mark.parametrize('resamples', [-1, 0, 1])
def test_too_few_resamples(pair, resamples):
    with pytest.raises(UserError, match='resamples are too few'):
        compare(*pair, resamples=resamples)


def test_the_spread_is_known_from_images_that_hold_an_object():
    rng = np.random.default_rng(8)
    content = make_annotations(rng, 12, 2, crowd=0)
    kept = [each for each in content['annotations'] if each['iscrowd'] == 0]
    first = [each for each in kept if each['category_id'] == 2]
    rare = next(each for each in kept if each['category_id'] == 5)
    content['annotations'] = [*first, rare]
    runs = [runs_of(rng, content, skill, 2) for skill in (0.9, 0.3)]
    with_first = len({each['image_id'] for each in first})
    with_any = len({each['image_id'] for each in content['annotations']})
    counts = runs[0][0].images_with_objects('AP50').tolist()
    assert counts == [with_any, with_first, 1, 0, 0]
    classes = compare_classes(*runs, 'AP50', resamples=20)
    assert np.isnan(classes['thing 1'].low)
    assert np.isfinite(classes['thing 0'].low)
    assert compare(*runs, resamples=20).num_with_objects == with_any
