"""Labels read from features: nearest neighbours and ridge."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmselfemd.evaluation import bootstrap, reading, reading_figures
from mmselfemd.evaluation.reading import (
    STRENGTHS,
    balanced_accuracy,
    chance_levels,
    choose_strength,
    knn_predict,
    read_features,
    ridge_predict,
    ridge_weights,
)


def clusters(num: int, num_classes: int = 4, noise: float = 1.5):
    """Features around a centre for each class, and their classes."""
    centres = torch.randn(
        num_classes, 6, generator=torch.Generator().manual_seed(1)
    )
    labels = torch.randint(num_classes, (num,))
    return centres[labels] + noise * torch.randn(num, 6), labels


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
    train, labels = clusters(120)
    queries, _ = clusters(40)
    found = knn_predict(train, labels, queries, 4, k, temperature)
    assert found.tolist() == [
        slow_knn(train, labels, query, k, temperature) for query in queries
    ]


@pytest.mark.parametrize('strength', STRENGTHS)
def test_ridge_solves_the_augmented_least_squares(strength):
    train, labels = clusters(60)
    labels[labels == 3] = 2
    labels[0] = 3  # a class of one
    slopes, offsets = ridge_weights(train, labels, 5, [7.0, strength])
    # Rows weighted by the square root; the penalty as further rows, which
    # leave the offset free.
    counts = np.bincount(labels, minlength=5)
    weights = (1 / (counts[labels] * 4))[:, None]  # class 4 does not occur
    assert weights.sum() == pytest.approx(1)
    design = np.hstack([train.double().numpy(), np.ones((60, 1))])
    penalty = np.hstack([np.sqrt(strength) * np.eye(6), np.zeros((6, 1))])
    targets = np.eye(5)[labels]
    expected = np.linalg.lstsq(
        np.vstack([np.sqrt(weights) * design, penalty]),
        np.vstack([np.sqrt(weights) * targets, np.zeros((6, 5))]),
        rcond=None,
    )[0]
    found = torch.cat([slopes[1], offsets[1]]).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_ridge_does_not_depend_on_scale_and_shift_of_a_feature():
    train, labels = clusters(100)
    queries, _ = clusters(50)
    scale, shift = 10 ** torch.linspace(-3, 3, 6), torch.arange(6.0)
    plain = ridge_predict(train, labels, queries, 4, [0.1])
    moved = ridge_predict(
        *(train * scale + shift, labels, queries * scale + shift), 4, [0.1]
    )
    assert torch.equal(plain, moved)


def test_ridge_gives_a_rare_class_its_weight():
    """On the threshold's wrong side without weights: 20 to 1."""
    train = torch.cat([torch.randn(2000, 1), torch.randn(100, 1) + 2])
    labels = (torch.arange(2100) >= 2000).long()
    predicted = ridge_predict(train, labels, train, 2, [1e-3])[0]
    recall = (predicted[labels == 1] == 1).double().mean()
    assert recall == pytest.approx(0.84, abs=0.08)  # Phi(1)


def test_balanced_accuracy_is_the_mean_of_recalls():
    labels = torch.tensor([0, 0, 0, 0, 2])
    score = balanced_accuracy(torch.tensor([0, 0, 0, 1, 1]), labels)
    assert score == pytest.approx((0.75 + 0) / 2)


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


def test_strength_is_the_best_on_whole_groups_held_out(monkeypatch):
    """Of equals the larger; a box and its copies stay together."""
    groups = np.repeat(np.arange(50), 3)
    features, labels = torch.from_numpy(groups)[:, None], torch.arange(150) % 2
    right = {0.1, 0.01}

    def predict(train, train_labels, queries, num_classes, strengths):
        assert not set(train.flatten().tolist()) & set(
            queries.flatten().tolist()
        )
        assert len(train) == len(train_labels) == 120 and len(queries) == 30
        truth = torch.stack(
            [labels[groups == group][:3] for group in queries[::3, 0]]
        ).flatten()
        return torch.stack(
            [truth if s in right else 1 - truth for s in strengths]
        )

    monkeypatch.setattr(reading, 'ridge_predict', predict)
    assert choose_strength(features, labels, groups) == 0.1
    right.remove(0.1)
    assert choose_strength(features, labels, groups) == 0.01


def test_strength_shrinks_what_is_mostly_noise():
    """Many features, few boxes: the smallest penalty would read noise."""
    labels = torch.arange(100) % 2
    features = torch.randn(100, 100)
    features[:, :20] += 0.4 * (2 * labels[:, None] - 1)
    chosen = [
        choose_strength(features, labels, np.arange(100), seed)
        for seed in range(5)
    ]
    assert min(chosen) > min(STRENGTHS)


def test_strength_needs_two_groups():
    with pytest.raises(ValueError, match='at least 2 images'):
        choose_strength(torch.randn(4, 2), torch.arange(4), np.zeros(4))
