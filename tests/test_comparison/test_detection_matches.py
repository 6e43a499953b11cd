"""AP of weighted images is COCOeval's on a data set of their copies."""

import numpy as np
import pytest
from made_up_detections import (
    copy_images,
    evaluate,
    index,
    make_annotations,
    make_results,
)

from mmselfemd.comparison import METRICS, DetectionMatches
from mmselfemd.errors import UserError


def matches_of(content, results):
    return DetectionMatches.from_results(results, index(content))


def assert_equal(found, evaluation):
    """All figures of the summary, and those of each class."""
    for name, value in zip(METRICS, evaluation.stats[:6], strict=True):
        assert found[name] == pytest.approx(value, abs=1e-12), name
    precision = evaluation.eval['precision'][..., -1]  # (T, R, K, A)
    categories = [
        evaluation.cocoGt.cats[number]['name']
        for number in evaluation.params.catIds
    ]
    assert list(found['per_class']) == categories
    areas = dict(AP_small=1, AP_medium=2, AP_large=3)
    thresholds = dict(AP50=slice(0, 1), AP75=slice(5, 6))
    for place, category in enumerate(categories):
        for name in METRICS:
            of_class = precision[
                thresholds.get(name, slice(None)), :, place, areas.get(name, 0)
            ]
            expected = of_class.mean()
            value = found['per_class'][category][name]
            assert value == pytest.approx(expected, abs=1e-12), (
                category,
                name,
            )


@pytest.mark.parametrize('digits', [None, 2, 1, 0])
@pytest.mark.parametrize('seed', [0, 1])
def test_it_is_cocoeval_of_the_copies(seed, digits):
    rng = np.random.default_rng(seed)
    content = make_annotations(rng)
    results = make_results(rng, content, digits=digits)
    matches = matches_of(content, results)
    if digits != 2:  # by chance there are none
        assert matches.detection_tied.any() == (digits is not None)
    assert_equal(matches.average_precision(), evaluate(content, results))
    num_images = len(content['images'])
    for weights in (
        rng.multinomial(num_images, np.full(num_images, 1 / num_images)),
        rng.integers(0, 2, num_images),
        rng.integers(1, 9, num_images),
    ):
        assert_equal(
            matches.average_precision(weights),
            evaluate(*copy_images(content, results, weights)),
        )


def test_a_hundred_detections_of_a_class_in_an_image_count():
    rng = np.random.default_rng(3)
    content = make_annotations(rng, num_images=4, num_classes=1)
    results = make_results(rng, content, skill=1, wrong=400, digits=2)
    weights = np.array([3, 0, 1, 2])
    matches = matches_of(content, results)
    assert len(matches.detection_image) < len(results)
    assert_equal(
        matches.average_precision(weights),
        evaluate(*copy_images(content, results, weights)),
    )


def test_a_class_that_no_drawn_image_has_is_left_out():
    rng = np.random.default_rng(4)
    content = make_annotations(rng, num_images=6, num_classes=2, crowd=0)
    only = content['annotations'][0]
    content['annotations'] = [
        each
        for each in content['annotations']
        if each['category_id'] != only['category_id']
    ] + [only]
    results = make_results(rng, content)
    matches = matches_of(content, results)
    weights = 1 - (matches.image_ids == only['image_id']).astype(int)
    found = matches.average_precision(weights)
    names = {each['id']: each['name'] for each in content['categories']}
    assert found['per_class'][names[only['category_id']]]['AP'] == -1
    assert 0 < found['AP'] < 1
    assert_equal(found, evaluate(*copy_images(content, results, weights)))
    assert matches.average_precision(0 * weights)['AP'] == -1


def test_who_finds_nothing_has_zero():
    content = make_annotations(np.random.default_rng(5))
    found = matches_of(content, []).average_precision()
    assert found['AP'] == found['AP50'] == found['AP_large'] == 0
    assert found['per_class']['thing 4']['AP'] == -1


def test_many_weightings_at_once_are_those_one_by_one():
    rng = np.random.default_rng(6)
    content = make_annotations(rng)
    matches = matches_of(content, make_results(rng, content, digits=1))
    weights = rng.integers(0, 4, (5, len(content['images'])))
    found = matches.resampled(weights, ['AP75', 'AP'])
    assert found.shape == (5, 2, 1 + 5)
    for row, weighting in zip(found, weights, strict=True):
        one = matches.average_precision(weighting)
        assert row[:, 0].tolist() == [one['AP75'], one['AP']]
        assert row[1, 2] == one['per_class']['thing 1']['AP']
        assert np.isnan(row[:, -1]).all()  # nothing of it


def test_what_was_saved_is_read_back(tmp_path):
    rng = np.random.default_rng(7)
    content = make_annotations(rng)
    matches = matches_of(content, make_results(rng, content, digits=1))
    path = tmp_path / 'new' / 'matches.npz'
    matches.save(path)
    again = DetectionMatches.load(path)
    weights = rng.integers(0, 4, len(content['images']))
    assert again.average_precision(weights) == matches.average_precision(
        weights
    )
    assert again.category_names.tolist()[0] == 'thing 0'
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize('content', [b'', b'no archive', None])
def test_another_file_is_refused(tmp_path, content):
    path = tmp_path / 'other.npz'
    with pytest.raises(UserError, match='no such file'):
        DetectionMatches.load(path)
    if content is None:
        np.savez(path, something=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match='holds no matches'):
        DetectionMatches.load(path)


@pytest.mark.parametrize(
    ('weights', 'words'),
    [
        (np.ones(3, int), '30 images'),
        (np.full(30, 0.5), 'integer weights'),
        (np.full(30, -1), 'negative'),
    ],
)
def test_weights_are_counts_of_the_images(weights, words):
    content = make_annotations(np.random.default_rng(8))
    with pytest.raises(ValueError, match=words):
        matches_of(content, []).average_precision(weights)


def test_an_unknown_figure_is_refused():
    content = make_annotations(np.random.default_rng(9))
    with pytest.raises(UserError, match="'AP40'.*AP_small"):
        matches_of(content, []).resampled([np.ones(30, int)], ['AP40'])
