"""What mmengine's runner calls: hooks and optimiser wrappers."""

from .hooks import (
    BoundedHistoryHook,
    ChannelsLastHook,
    CollapseMonitorHook,
    GradientMonitorHook,
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
    'BoundedHistoryHook',
    'ChannelsLastHook',
    'CollapseMonitorHook',
    'FiniteAmpOptimWrapper',
    'FiniteOptimWrapper',
    'GradientMonitorHook',
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
