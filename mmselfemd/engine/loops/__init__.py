"""Loops of training."""

from .reproducible_loops import (
    ReproducibleEpochBasedTrainLoop,
    ReproducibleIterBasedTrainLoop,
)

__all__ = [
    'ReproducibleEpochBasedTrainLoop',
    'ReproducibleIterBasedTrainLoop',
]
