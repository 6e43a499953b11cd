"""What frozen features know of labels: nearest neighbours and ridge."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .ridge import choose_strength, ridge_predict


class Reading(NamedTuple):
    """How well labels can be read from features.

    Attributes:
        sums (np.ndarray): In how many of the boxes of each image and class
            the nearest neighbours are right, in how many the ridge
            regression is, and how many boxes there are, (I, 3, K). Images,
            or other groups, in the order of their sorted names.
        ridge_strength (float): The penalty that was chosen.
    """

    sums: np.ndarray
    ridge_strength: float

    @property
    def figures(self) -> dict[str, float]:
        """Those of :func:`reading_figures` over all images."""
        return {
            name: float(value)
            for name, value in reading_figures(self.sums.sum(0)).items()
        }


def reading_figures(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Accuracies of sums over images.

    Args:
        sums (np.ndarray): Sums of ``Reading.sums``, (..., 3, K).

    Returns:
        dict[str, np.ndarray]: (...) each: ``knn``, accuracy of the nearest
        neighbours; ``knn_balanced``, class-balanced accuracy of the same
        answers, which is the mean over the classes that occur of the share
        that is recognised; ``ridge``, class-balanced accuracy of the ridge
        regression.
    """
    knn, ridge, boxes = np.moveaxis(sums, -2, 0)
    return dict(
        knn=knn.sum(-1) / boxes.sum(-1),
        knn_balanced=_mean_recall(knn, boxes),
        ridge=_mean_recall(ridge, boxes),
    )


def _mean_recall(hits: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Mean over the classes that occur, on the last axis."""
    recalls = hits / np.maximum(boxes, 1)
    return recalls.sum(-1) / (boxes > 0).sum(-1)


class Chance(NamedTuple):
    """What a reading without features reaches. All shares in [0, 1].

    Attributes:
        knn (float): Accuracy of always naming the class that is most
            frequent in training.
        balanced (float): Class-balanced accuracy of always naming one class:
            1 over the number of classes in validation.
    """

    knn: float
    balanced: float


def read_features(
    train: Tensor,
    val: Tensor,
    train_labels: np.ndarray,
    val_labels: np.ndarray,
    train_groups: np.ndarray,
    val_groups: np.ndarray,
    seed: int = 0,
) -> Reading:
    """Read labels from frozen features, in two ways.

    Args:
        train (Tensor): Features for training, (N, C).
        val (Tensor): Features for validation, (M, C).
        train_labels (np.ndarray): Labels, of any type, (N,).
        val_labels (np.ndarray): Labels, (M,).
        train_groups (np.ndarray): What belongs together, such as the boxes
            of an image, (N,). The split by which the ridge's strength is
            chosen goes between groups.
        val_groups (np.ndarray): The same for validation, (M,): what is
            counted is kept by group.
        seed (int): Of that split. Defaults to 0.

    Returns:
        Reading: What was recognised. ``bootstrap(reading.sums,
        reading_figures)`` gives accuracies with their standard errors.
    """
    classes, labels = np.unique(
        np.concatenate([train_labels, val_labels]), return_inverse=True
    )
    labels = torch.from_numpy(labels)
    known, truth = labels[: len(train)], labels[len(train) :]
    voted = knn_predict(train, known, val, len(classes))
    strength = choose_strength(train, known, train_groups, seed)
    (predicted,) = ridge_predict(train, known, val, len(classes), [strength])
    counts = torch.stack(
        [voted == truth, predicted == truth, torch.ones_like(truth).bool()], 1
    )
    names, groups = np.unique(val_groups, return_inverse=True)
    sums = np.zeros((len(names), 3, len(classes)))
    np.add.at(sums, (groups, slice(None), truth.numpy()), counts.numpy())
    return Reading(sums, strength)


def chance_levels(train_labels: np.ndarray, val_labels: np.ndarray) -> Chance:
    """Accuracies without looking at a feature.

    Args:
        train_labels (np.ndarray): Labels for training, (N,).
        val_labels (np.ndarray): Labels for validation, (M,).

    Returns:
        Chance: For both readings.
    """
    names, counts = np.unique(train_labels, return_counts=True)
    majority = names[counts.argmax()]
    return Chance(
        float((val_labels == majority).mean()),
        1 / len(np.unique(val_labels)),
    )


def knn_predict(
    train: Tensor,
    labels: Tensor,
    queries: Tensor,
    num_classes: int,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    r"""Classify by the most similar training features.

    As in Wu et al. 2018 (https://arxiv.org/abs/1805.01978, Sec. 3.4,
    ``lemniscate.pytorch``) and DINO's ``eval_knn.py``: each of the k
    neighbours of largest cosine s votes for its class with weight
    :math:`\exp(s / \tau)`. k = 20 is one of DINO's; Wu et al. take 200, more
    than a rare class has here.

    Args:
        train (Tensor): Features, (N, C).
        labels (Tensor): Their classes, in [0, num_classes), (N,).
        queries (Tensor): Features to classify, (M, C).
        num_classes (int): Number of classes.
        k (int): Number of neighbours; all if there are fewer.
            Defaults to 20.
        temperature (float): tau, above 0. Defaults to 0.07.

    Returns:
        Tensor: Classes, (M,).
    """
    train = F.normalize(train, dim=1)
    predicted = []
    for part in F.normalize(queries, dim=1).split(1024):
        similarity, nearest = (part @ train.T).topk(min(k, len(train)))
        # Less 1, the largest cosine: the same order, without overflow.
        weights = ((similarity - 1) / temperature).exp()
        votes = weights.new_zeros(len(part), num_classes)
        votes.scatter_add_(1, labels[nearest], weights)
        predicted.append(votes.argmax(1))
    return torch.cat(predicted)
