"""What mmengine's runner calls: the hooks of this project."""

from .hooks import (
    CollapseMonitorHook,
    InitialValidationHook,
    MomentumUpdateHook,
    PreciseBNHook,
    PretrainedBackboneHook,
    SafeCheckpointHook,
    TransportMonitorHook,
)

__all__ = [
    'CollapseMonitorHook',
    'InitialValidationHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PretrainedBackboneHook',
    'SafeCheckpointHook',
    'TransportMonitorHook',
]
