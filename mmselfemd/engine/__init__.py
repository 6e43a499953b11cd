"""What mmengine's runner calls: hooks and optimiser wrappers."""

from .hooks import (
    ChannelsLastHook,
    CollapseMonitorHook,
    InitialValidationHook,
    MatchingPictureHook,
    MomentumUpdateHook,
    PreciseBNHook,
    PreemptionHook,
    PretrainedBackboneHook,
    RunRecordHook,
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
    'MatchingPictureHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'ReproducibleEpochBasedTrainLoop',
    'ReproducibleIterBasedTrainLoop',
    'RunRecordHook',
    'RunReportHook',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
    'TransportMonitorHook',
]
