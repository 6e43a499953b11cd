"""Batches from any position on, without a look at any image."""

from collections.abc import Iterator
from itertools import count, islice
from math import ceil

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from torch.utils.data import BatchSampler, Sampler

from mmselfemd.errors import UserValueError
from mmselfemd.plurals import counted

from .epoch_sampler import EpochIndex, EpochSampler


def does_not_fill(num_images: int, batch_size: int) -> str:
    """Say that the images do not fill one batch, and what to do.

    Args:
        num_images (int): Images of the data set.
        batch_size (int): Images of a batch of one process.

    Returns:
        str: For an error.
    """
    processes = get_world_size()
    images = counted(num_images, 'image')
    if processes > 1:
        images += f', {ceil(num_images / processes)} a process,'
    do_not = 'does not' if num_images == 1 else 'do not'
    return (
        f'{images} {do_not} fill one batch of {batch_size}: add images, or '
        'lower train_dataloader.batch_size, in the config or, of '
        'tools/train.py, with --cfg-options'
    )


class PositionedBatchSampler(Sampler[list[EpochIndex]]):
    """Around a batch sampler: leaves out the batches before a position.

    The inner one deals out the past batches too, as indices, and they are
    dropped: whatever it carries from batch to batch (mmdet's
    ``AspectRatioBatchSampler`` keeps leftovers) is then as it was.

    Args:
        batch_sampler (BatchSampler): The inner batch sampler, torch's or one
            with its attributes. Its sampler becomes an :class:`EpochSampler`.
        endless (bool): Whether one epoch follows another, for a loop by
            iteration. Defaults to False: an iteration is one epoch.
        multiple_of (int): Batches that make a step of the optimiser. An epoch
            ends with a step: the last batches, too few for one, are left out
            (``endless`` needs no such end). Defaults to 1.

    Raises:
        UserValueError: If an epoch has no batch (which some batch samplers
            tell only when they are asked), too few for a step, or no end.
    """

    def __init__(
        self,
        batch_sampler: BatchSampler,
        endless: bool = False,
        multiple_of: int = 1,
    ) -> None:
        if not endless and isinstance(batch_sampler.sampler, InfiniteSampler):
            raise UserValueError(
                'InfiniteSampler has no epochs: use DefaultSampler, or a loop '
                'by iteration'
            )
        if endless and len(batch_sampler) == 0:
            sampler = batch_sampler.sampler
            num_images = len(getattr(sampler, 'dataset', sampler))
            raise UserValueError(
                does_not_fill(num_images, batch_sampler.batch_size)
            )
        if not endless and 0 < len(batch_sampler) < multiple_of:
            raise UserValueError(
                f'Gradients are accumulated over {multiple_of} batches, and '
                f'an epoch has {len(batch_sampler)}: lower '
                'optim_wrapper.accumulative_counts or '
                'train_dataloader.batch_size'
            )
        self.batch_sampler = batch_sampler
        self.batch_size = batch_sampler.batch_size  # mmengine asks for it
        self.sampler = EpochSampler(batch_sampler.sampler)
        batch_sampler.sampler = self.sampler
        self.endless = endless
        self.multiple_of = multiple_of
        #: Batches that the next iteration leaves out; the one after it none.
        self.position = 0

    def __len__(self) -> int:
        """Batches of a full epoch, whatever the position."""
        length = len(self.batch_sampler)
        return length if self.endless else length - length % self.multiple_of

    def __iter__(self) -> Iterator[list[EpochIndex]]:
        start, self.position = self.position, 0
        if self.endless:
            yield from islice(self._epochs(), start, None)
            return
        # To the very end, so that no leftover goes into the next epoch.
        for number, batch in enumerate(self.batch_sampler):
            if start <= number < len(self):
                yield batch

    def _epochs(self) -> Iterator[list[EpochIndex]]:
        for epoch in count():
            self.sampler.set_epoch(epoch)
            has_batch = False
            for batch in self.batch_sampler:
                has_batch = True
                yield batch
            if not has_batch:
                raise UserValueError(
                    f'{type(self.batch_sampler).__name__} makes no batch of '
                    f'{self.batch_size} out of {len(self.sampler)} images: '
                    'add images, lower train_dataloader.batch_size, or set '
                    'its drop_last=False'
                )
