"""Indices that know their epoch."""

from collections.abc import Iterator

from mmengine.dataset import InfiniteSampler
from torch.utils.data import Sampler


class EpochIndex(int):
    """The number of an image, and the epoch for which it is drawn.

    It goes wherever a plain number goes: through any batch sampler, and to
    the workers, which never see an attribute of the dataset change.

    Args:
        index (int): Number of the image.
        epoch (int): The epoch, from 0.
    """

    epoch: int

    def __new__(cls, index: int, epoch: int) -> 'EpochIndex':  # noqa: D102
        self = super().__new__(cls, index)
        self.epoch = epoch
        return self

    def __getnewargs__(self) -> tuple[int, int]:  # for pickle
        return int(self), self.epoch


class EpochSampler(Sampler[EpochIndex]):
    """Around a sampler: its indices with their epochs.

    mmengine's ``InfiniteSampler`` has no epochs; there it is the number of
    times that all processes together have gone through the data.

    Args:
        sampler (Sampler): The inner sampler, which draws from its ``seed``
            and the epoch that it is set to, as those of OpenMMLab do.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler = sampler
        self.epoch = 0
        if hasattr(sampler, 'dataset'):
            self.dataset = sampler.dataset  # batch samplers look into it

    def set_seed(self, seed: int) -> None:
        """Set the seed of the order of the images.

        Args:
            seed (int): The seed, the same in all processes.
        """
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that the next iteration is for.

        Args:
            epoch (int): The epoch, from 0.
        """
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[EpochIndex]:
        stride, offset = 1, 0
        if isinstance(self.sampler, InfiniteSampler):
            # Its length is that of the data, of which a process takes a part.
            stride, offset = self.sampler.world_size, self.sampler.rank
        for count, index in enumerate(self.sampler):
            passes = (count * stride + offset) // len(self.sampler)
            yield EpochIndex(index, self.epoch + passes)
