"""Ridge regression of classes on features, its penalty on held-out images."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mmselfemd.errors import UserValueError

#: Penalties that are tried, for features of unit variance.
STRENGTHS = tuple(10.0**power for power in range(-5, 2))


def ridge_weights(
    train: Tensor,
    labels: Tensor,
    num_classes: int,
    strengths: Sequence[float],
) -> tuple[Tensor, Tensor]:
    r"""Regress one-hot labels on features, every class with equal weight.

    Minimises :math:`\sum_i w_i |y_i - W^T x_i - b|^2 + a |W|^2`. The weights
    w are equal within a class and have the same sum in each class that
    occurs; over all they sum to 1.

    Args:
        train (Tensor): Features, (N, C).
        labels (Tensor): Their classes, in [0, num_classes), (N,).
        num_classes (int): Number of classes, K.
        strengths (Sequence[float]): Values of a, above 0.

    Returns:
        tuple[Tensor, Tensor]: For each of the S strengths W (S, C, K) and b
        (S, 1, K), float64.
    """
    train = train.double()
    targets = F.one_hot(labels, num_classes).double()
    counts = targets.sum(0)
    weights = (1 / counts[labels] / (counts > 0).sum())[:, None]
    mean, target_mean = (weights * train).sum(0), (weights * targets).sum(0)
    centred = train - mean
    covariance = centred.T @ (weights * centred)
    cross = centred.T @ (weights * (targets - target_mean))
    identity = torch.eye(len(covariance), dtype=covariance.dtype)
    slopes = torch.stack(
        [
            torch.linalg.solve(covariance + strength * identity, cross)
            for strength in strengths
        ]
    )
    return slopes, (target_mean - mean @ slopes)[:, None]


def ridge_predict(
    train: Tensor,
    labels: Tensor,
    queries: Tensor,
    num_classes: int,
    strengths: Sequence[float],
) -> Tensor:
    """Classify by :func:`ridge_weights` on standardised features.

    Args:
        train (Tensor): Features, (N, C); their mean and standard deviation
            standardise the queries too.
        labels (Tensor): Their classes, in [0, num_classes), (N,).
        queries (Tensor): Features to classify, (M, C).
        num_classes (int): Number of classes.
        strengths (Sequence[float]): Penalties, above 0.

    Returns:
        Tensor: Classes for each of the S strengths, (S, M).
    """
    mean = train.double().mean(0)
    std = train.double().std(0, unbiased=False)
    std[std == 0] = 1  # a feature that says nothing
    train, queries = ((x.double() - mean) / std for x in (train, queries))
    slopes, offsets = ridge_weights(train, labels, num_classes, strengths)
    return (queries @ slopes + offsets).argmax(2)


def choose_strength(
    train: Tensor, labels: Tensor, groups: np.ndarray, seed: int = 0
) -> float:
    """Choose the ridge's penalty on a fifth of the training groups.

    Args:
        train (Tensor): Features, (N, C).
        labels (Tensor): Their classes, (N,).
        groups (np.ndarray): What belongs together, (N,).
        seed (int): Of the split. Defaults to 0.

    Returns:
        float: The best of :data:`STRENGTHS` in class-balanced accuracy, the
        larger one of equals.

    Raises:
        UserValueError: If there are fewer than two groups.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise UserValueError(
            'the strength of the ridge regression is chosen on held-out '
            'images of the training set: it needs at least 2 images with '
            f'boxes, found {len(names)}.'
        )
    names = np.random.default_rng(seed).permutation(names)
    held = torch.from_numpy(np.isin(groups, names[: -(-len(names) // 5)]))
    strengths = sorted(STRENGTHS, reverse=True)
    predictions = ridge_predict(
        train[~held],
        labels[~held],
        train[held],
        int(labels.max()) + 1,
        strengths,
    )
    scores = [balanced_accuracy(p, labels[held]) for p in predictions]
    return strengths[int(np.argmax(scores))]


def balanced_accuracy(predicted: Tensor, labels: Tensor) -> float:
    """Mean over the classes of the share that is recognised.

    Args:
        predicted (Tensor): Classes, (M,).
        labels (Tensor): The true ones, (M,).

    Returns:
        float: The mean over the classes that occur in ``labels``.
    """
    recalls = [
        (predicted == label)[labels == label].double().mean().item()
        for label in labels.unique()
    ]
    return float(np.mean(recalls))
