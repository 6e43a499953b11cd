"""Which images come next, and in which epoch."""

from .epoch_sampler import EpochIndex, EpochSampler
from .positioned_batch_sampler import PositionedBatchSampler

__all__ = ['EpochIndex', 'EpochSampler', 'PositionedBatchSampler']
