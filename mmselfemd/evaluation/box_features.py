"""What can be read off a frozen backbone's view of boxes."""

import numpy as np
import torch
from torch import Tensor, nn

from mmselfemd.errors import UserValueError
from mmselfemd.models.norm_statistics import (
    batch_statistics,
    running_statistics,
)
from mmselfemd.plurals import counted

from .boxes import Boxes, Progress
from .reading import Reading, read_features


@torch.no_grad()
def box_features(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    crops: np.ndarray,
    batch_size: int = 64,
    statistics: str = 'batch',
    seed: int = 0,
    progress: Progress = iter,
) -> Tensor:
    """Features of boxes: the mean over the backbone's last map.

    By default batch norms use the statistics of the batch, as in
    :func:`measure_matching`, so that an untrained network, whose running
    statistics are those of no data, can be measured in the same way. A
    box's feature then depends on its batch. So batches are of one size and
    of a shuffled order: in the order of a file they would hold the boxes of
    few images, or of one class, whose common part the norm takes away. The
    last batch is filled up with boxes of the first.

    Args:
        backbone (nn.Module): The backbone, which is left as it is.
        data_preprocessor (nn.Module): The model's data preprocessor.
        crops (np.ndarray): Images, BGR, uint8, (N, size, size, 3).
        batch_size (int): Size of every batch. Defaults to 64.
        statistics (str): ``batch`` or ``running``. Defaults to 'batch'.
        seed (int): Of the order. Defaults to 0.
        progress (Callable): Goes around the list of batches. Defaults to
            ``iter``: nothing is shown.

    Returns:
        Tensor: Features on the CPU, float32, (N, C), in the order of
        ``crops``.

    Raises:
        UserValueError: If ``statistics`` is neither of the two.
    """
    if statistics not in ('batch', 'running'):
        raise UserValueError(
            f"statistics={statistics!r}: expected 'batch' or 'running'."
        )
    with_statistics = (
        batch_statistics if statistics == 'batch' else running_statistics
    )
    order = np.random.default_rng(seed).permutation(len(crops))
    num_batches = -(-len(crops) // batch_size)
    batches = np.resize(order, (num_batches, batch_size))  # goes round
    features = []
    for batch in progress(list(batches)):
        images = torch.from_numpy(crops[batch]).movedim(-1, 1)
        data = data_preprocessor(dict(inputs=[images], data_samples=None))
        with with_statistics(backbone):
            last_map = backbone(data['inputs'][0])[-1]
        features.append(last_map.mean((2, 3)).cpu())
    features = torch.cat(features)[: len(crops)].float()
    return features[np.argsort(order)]


def read_boxes(
    backbone: nn.Module,
    data_preprocessor: nn.Module,
    train: Boxes,
    val: Boxes,
    batch_size: int = 64,
    statistics: str = 'batch',
    seed: int = 0,
    progress: Progress = iter,
) -> Reading:
    """Read the labels of boxes from the features of a frozen backbone.

    Args:
        backbone (nn.Module): See :func:`box_features`, as all the others.
        data_preprocessor (nn.Module): The model's data preprocessor.
        train (Boxes): Boxes whose labels are shown.
        val (Boxes): Boxes whose labels are read, of other images.
        batch_size (int): Size of every batch. Defaults to 64.
        statistics (str): ``batch`` or ``running``. Defaults to 'batch'.
        seed (int): Of the order, and of the split by which the ridge's
            strength is chosen. Defaults to 0.
        progress (Callable): Goes around the lists of batches. Defaults to
            ``iter``: nothing is shown.

    Returns:
        Reading: What was recognised, by image of ``val``.

    Raises:
        UserValueError: If an image is in both sets, or they have no category
            name in common.
    """
    check_apart(train, val)
    features = [
        box_features(
            backbone,
            data_preprocessor,
            boxes.crops,
            batch_size,
            statistics,
            seed,
            progress,
        )
        for boxes in (train, val)
    ]
    return read_features(
        *features, train.labels, val.labels, train.images, val.images, seed
    )


def check_apart(train: Boxes, val: Boxes) -> None:
    """Raise if the labels of one set cannot, or need not, be read off it.

    Args:
        train (Boxes): Boxes whose labels are shown.
        val (Boxes): Boxes whose labels are read.

    Raises:
        UserValueError: If an image is in both sets, or they have no category
            name in common.
    """
    shared = np.intersect1d(train.images, val.images)
    if len(shared):
        raise UserValueError(
            f'The annotations for training and for validation share '
            f'{counted(len(shared), "image")}, {shared[0]} first: the answers '
            'would be in the question. Use files without common images.'
        )
    if not len(np.intersect1d(train.labels, val.labels)):
        raise UserValueError(
            'the boxes for training and those for validation have no '
            'category name in common.'
        )
