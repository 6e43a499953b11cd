"""Optimiser wrappers: when the optimiser steps."""

from .buffer_snapshot import BufferSnapshot
from .finite_optim_wrapper import (
    FiniteAmpOptimWrapper,
    FiniteOptimWrapper,
    NonFiniteStepsError,
)

__all__ = [
    'BufferSnapshot',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'NonFiniteStepsError',
]
