"""Hooks, each in a file of its own."""

from .matching_picture_hook import MatchingPictureHook
from .momentum_update_hook import MomentumUpdateHook
from .precise_bn_hook import PreciseBNHook
from .pretrained_backbone_hook import PretrainedBackboneHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'MatchingPictureHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PretrainedBackboneHook',
    'SafeCheckpointHook',
]
