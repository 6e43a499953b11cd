"""Ridge regression of classes, and the choice of its penalty."""

import numpy as np
import pytest
import torch

from mmselfemd.evaluation import ridge
from mmselfemd.evaluation.ridge import (
    STRENGTHS,
    balanced_accuracy,
    choose_strength,
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

    monkeypatch.setattr(ridge, 'ridge_predict', predict)
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
