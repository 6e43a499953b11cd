"""What mmengine's runner calls: hooks and optimiser wrappers."""

from .hooks import (
    ChannelsLastHook,
    CollapseMonitorHook,
    InitialValidationHook,
    MomentumUpdateHook,
    PreciseBNHook,
    PreemptionHook,
    PretrainedBackboneHook,
    RunReportHook,
    SafeCheckpointHook,
    ShrunkImagesHook,
    TransportMonitorHook,
)
from .loops import (
    ReproducibleEpochBasedTrainLoop,
    ReproducibleIterBasedTrainLoop,
)
from .optim import FiniteAmpOptimWrapper, FiniteOptimWrapper

__all__ = [
    'ChannelsLastHook',
    'CollapseMonitorHook',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'InitialValidationHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'ReproducibleEpochBasedTrainLoop',
    'ReproducibleIterBasedTrainLoop',
    'RunReportHook',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
    'TransportMonitorHook',
]
