"""Which images come next, and in which epoch."""

from .epoch_sampler import EpochIndex, EpochSampler
from .positioned_batch_sampler import PositionedBatchSampler, does_not_fill

__all__ = [
    'EpochIndex',
    'EpochSampler',
    'PositionedBatchSampler',
    'does_not_fill',
]
