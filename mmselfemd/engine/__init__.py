"""What mmengine's runner calls: hooks, loops and optimiser wrappers."""

from .hooks import (
    BoundedHistoryHook,
    ChannelsLastHook,
    CheckImagesHook,
    LabelWeightsHook,
    MomentumUpdateHook,
    PreciseBNHook,
    PreemptionHook,
    PretrainedBackboneHook,
    SafeCheckpointHook,
    ShrunkImagesHook,
)
from .loops import (
    ReproducibleEpochBasedTrainLoop,
    ReproducibleIterBasedTrainLoop,
)
from .optim import FiniteAmpOptimWrapper, FiniteOptimWrapper

__all__ = [
    'BoundedHistoryHook',
    'ChannelsLastHook',
    'CheckImagesHook',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'LabelWeightsHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'ReproducibleEpochBasedTrainLoop',
    'ReproducibleIterBasedTrainLoop',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
]
