"""A data loader that can start anywhere in a run."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from torch.utils.data import DataLoader

from mmselfemd.errors import UserValueError

from .samplers import PositionedBatchSampler
from .seeded_dataset import SeededDataset


class SeededDataLoader(DataLoader):
    """The batches of another loader as a function of seed and position.

    Nothing is read, and no worker is started, before the first batch is asked
    for: mmengine asks for an iterator before it has read the checkpoint that
    tells seed and position. The batches before the position come as None, at
    once, so that each of the others has its place in the epoch.

    Args:
        loader (DataLoader): A loader that has not been iterated over. Its
            batch sampler is taken over.
        endless (bool): See :class:`PositionedBatchSampler`.
            Defaults to False.
        multiple_of (int): See :class:`PositionedBatchSampler`.
            Defaults to 1.

    Raises:
        UserValueError: If the loader has no batch sampler.
    """

    dataset: SeededDataset
    batch_sampler: PositionedBatchSampler

    def __init__(
        self, loader: DataLoader, endless: bool = False, multiple_of: int = 1
    ) -> None:
        if loader.batch_sampler is None:
            raise UserValueError(
                'train_dataloader: a run that can be repeated needs a batch '
                'sampler, got batch_size=None or an iterable dataset'
            )
        super().__init__(
            SeededDataset(loader.dataset),
            batch_sampler=PositionedBatchSampler(
                loader.batch_sampler, endless, multiple_of
            ),
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            timeout=loader.timeout,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            generator=loader.generator,
            prefetch_factor=loader.prefetch_factor,
            persistent_workers=loader.persistent_workers,
        )

    def start_at(self, seed: int, position: int) -> None:
        """Set where the next iteration starts.

        Args:
            seed (int): The seed of order and views, the same in all
                processes.
            position (int): Batches that are past: of the epoch, or of the run
                if the loader is endless.
        """
        self.dataset.seed = seed
        self.batch_sampler.sampler.set_seed(seed)
        self.batch_sampler.position = position

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration is for.

        Args:
            epoch (int): The epoch, from 0.
        """
        self.batch_sampler.sampler.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        yield from repeat(None, self.batch_sampler.position)
        yield from super().__iter__()
