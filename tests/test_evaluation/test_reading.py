"""Labels read from features, and by the nearest neighbours."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmselfemd.evaluation import bootstrap, reading_figures
from mmselfemd.evaluation.reading import (
    chance_levels,
    knn_predict,
    read_features,
)


def slow_knn(train, labels, query, k, temperature):
    cosines = [
        float(row @ query / (row.norm() * query.norm())) for row in train
    ]
    votes: dict[int, float] = {}
    for index in sorted(range(len(train)), key=lambda i: -cosines[i])[:k]:
        label = int(labels[index])
        vote = np.exp(cosines[index] / temperature)
        votes[label] = votes.get(label, 0) + vote
    return max(votes, key=votes.get)


@pytest.mark.parametrize('k', [1, 7, 1000])
@pytest.mark.parametrize('temperature', [0.07, 1.0])
def test_knn_is_the_literal_vote(k, temperature):
    train, queries = torch.randn(120, 6), torch.randn(40, 6)
    labels = torch.randint(4, (120,))
    found = knn_predict(train, labels, queries, 4, k, temperature)
    assert found.tolist() == [
        slow_knn(train, labels, query, k, temperature) for query in queries
    ]


def draw_images(centres, num=120):
    """Three boxes an image, all of them clear or all of them noise."""
    labels = np.random.randint(4, size=(num, 3))
    blur = np.random.choice([0.5, 20], (num, 1, 1))
    features = centres[labels] + blur * np.random.randn(num, 3, 6)
    return (
        torch.from_numpy(features).flatten(0, 1),
        labels.ravel(),
        np.repeat(np.arange(num), 3),
    )


def test_standard_errors_are_the_spread_over_draws_of_images():
    centres = 3 * np.random.randn(4, 6)
    train, labels, groups = draw_images(centres, 100)
    estimates = []
    for _ in range(100):
        val, truth, val_groups = draw_images(centres)
        read = read_features(train, val, labels, truth, groups, val_groups)
        estimates.append(bootstrap(read.sums, reading_figures, 200))
    for name in ('knn', 'knn_balanced', 'ridge'):
        values = [estimate[name].value for estimate in estimates]
        spread = np.std(values, ddof=1)
        stated = np.mean([estimate[name].error for estimate in estimates])
        assert stated == pytest.approx(spread, rel=0.2)
        share = np.mean(values)
        assert stated > 1.2 * (share * (1 - share) / 360) ** 0.5


def test_what_is_counted_stands_by_image_and_class():
    names = np.array(['cat', 'dog', 'owl'])
    train = torch.eye(3).repeat(4, 1)
    val = torch.eye(3)[[0, 1, 1, 1]]  # the last is an owl
    reading = read_features(
        *(train, val, np.tile(names, 4), names[[0, 1, 1, 2]]),
        *(np.arange(12), np.array(['b', 'b', 'a', 'a'])),
    )
    assert reading.sums[:, 2].tolist() == [[0, 1, 1], [1, 1, 0]]
    right = [[0, 1, 0], [1, 1, 0]]
    assert reading.sums[:, 0].tolist() == right
    assert reading.sums[:, 1].tolist() == right
    assert reading.figures == dict(
        knn=3 / 4,
        knn_balanced=pytest.approx(2 / 3),
        ridge=pytest.approx(2 / 3),
    )
    # Of image b alone, where no owl is.
    assert reading_figures(reading.sums[1])['ridge'] == 1


def test_features_that_are_the_label_are_read_and_shuffled_ones_are_not():
    names = np.array(['cat', 'dog', 'owl', 'sun'])
    train, val = torch.randint(4, (800,)), torch.randint(4, (800,))
    features = [F.one_hot(part, 4).float() for part in (train, val)]
    groups = [np.arange(800) // 2] * 2
    result = read_features(*features, names[train], names[val], *groups)
    assert set(result.figures.values()) == {1}
    errors = bootstrap(result.sums, reading_figures).values()
    assert all(estimate.error == 0 for estimate in errors)
    # More values than answers to guess from: shuffled labels are chance.
    shuffled = np.random.permutation(names[train])
    noise = [torch.randn(800, 8) for _ in range(2)]
    marked = [torch.cat(pair, 1) for pair in zip(features, noise, strict=True)]
    result = read_features(*marked, shuffled, names[val], *groups)
    four_errors = 4 * (0.25 * 0.75 / 800) ** 0.5
    for name in ('knn', 'knn_balanced'):
        assert result.figures[name] == pytest.approx(0.25, abs=four_errors)
    result = read_features(*noise, names[train], names[val], *groups)
    for score in result.figures.values():
        assert score == pytest.approx(0.25, abs=four_errors)


def test_chance_is_what_one_answer_reaches():
    train = np.array(['a', 'b', 'b', 'c', 'c', 'c'])
    val = np.array(['b', 'b', 'b', 'c', 'a', 'd', 'd', 'd'])
    chance = chance_levels(train, val)
    assert chance.knn == 1 / 8  # 'c', though 'b' is more frequent in val
    assert chance.balanced == 1 / 4
