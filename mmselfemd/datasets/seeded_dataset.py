"""What is drawn for an image depends on the seed, the epoch and the image."""

import logging
from collections.abc import Iterator
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmselfemd.random_state import derived_seed, seed_generators


class SeededDataset(Dataset):
    """Around a dataset: seeds the generators of the host for each image.

    Whatever a pipeline draws, from Python's generator, numpy's or torch's, is
    then a function of (seed, epoch, index): not of the worker, the rank, the
    images before it, or of being resumed. The choice of another image in
    place of a broken one is, too. The pipeline need not know, so mmdet's and
    mmpretrain's are covered as they are. Transforms that remember earlier
    images, such as mmdet's ``CachedMosaic``, are not; a warning names them.

    The generators are left where the pipeline ended. Attributes are read from
    and written to the inner dataset, since hooks switch the pipeline as
    ``loader.dataset.pipeline = ...``.

    Args:
        dataset (Dataset): The inner dataset, outermost wrappers included.
        seed (int): The seed of the run. Set it before workers start.
            Defaults to 0.
    """

    def __init__(self, dataset: Dataset, seed: int = 0) -> None:
        self.dataset = dataset
        self.seed = seed
        if names := sorted(set(_remembering_transforms(dataset))):
            print_log(
                f'{", ".join(names)}: keeps images that the worker has read '
                'before, so that what it gives depends on the number of '
                'workers, and a resumed run differs from one that was not '
                'interrupted. MultiImageMixDataset with Mosaic has neither.',
                logger='current',
                level=logging.WARNING,
            )

    def __getattr__(self, name: str) -> Any:
        # Not `dataset` itself, which is absent while a worker unpickles this,
        # and not `__getitems__`, by which torch would go past the seeding.
        if name == 'dataset' or name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ('dataset', 'seed'):
            super().__setattr__(name, value)
        else:
            setattr(self.dataset, name, value)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Draw and return an item.

        Args:
            index (int): Its number; an :class:`EpochIndex` carries the epoch,
                a plain number stands for epoch 0.

        Returns:
            Any: The item of the inner dataset.
        """
        epoch = getattr(index, 'epoch', 0)
        seed = derived_seed(self.seed, epoch, int(index))
        seed_generators(seed, devices=False)
        return self.dataset[int(index)]


def _remembering_transforms(node: Any) -> Iterator[str]:
    """Names of the transforms at or below a dataset that keep a cache."""
    if hasattr(node, 'results_cache'):  # mmdet's name of it
        yield type(node).__name__
    for name in ('pipeline', 'transforms', 'dataset', 'datasets'):
        child = getattr(node, name, None)
        for part in child if isinstance(child, list | tuple) else [child]:
            if part is not None and not isinstance(part, dict | str):
                yield from _remembering_transforms(part)
