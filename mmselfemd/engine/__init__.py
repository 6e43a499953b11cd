"""What mmengine's runner calls: the hooks of this project."""

from .hooks import (
    MomentumUpdateHook,
    PreciseBNHook,
    PretrainedBackboneHook,
    SafeCheckpointHook,
)

__all__ = [
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PretrainedBackboneHook',
    'SafeCheckpointHook',
]
