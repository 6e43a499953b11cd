"""What mmengine's runner calls: the hooks of this project."""

from .hooks import (
    CollapseMonitorHook,
    InitialValidationHook,
    MatchingPictureHook,
    MomentumUpdateHook,
    PreciseBNHook,
    PretrainedBackboneHook,
    SafeCheckpointHook,
    TransportMonitorHook,
)

__all__ = [
    'CollapseMonitorHook',
    'InitialValidationHook',
    'MatchingPictureHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PretrainedBackboneHook',
    'SafeCheckpointHook',
    'TransportMonitorHook',
]
