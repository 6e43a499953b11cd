"""Hooks that change a run, each in a file of its own."""

from .bounded_history_hook import BoundedHistoryHook
from .channels_last_hook import ChannelsLastHook
from .check_annotations_hook import CheckAnnotationsHook
from .check_images_hook import CheckImagesHook
from .label_weights_hook import LabelWeightsHook
from .momentum_update_hook import MomentumUpdateHook
from .precise_bn_hook import PreciseBNHook
from .preemption_hook import PreemptionHook
from .pretrained_backbone_hook import PretrainedBackboneHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .shrunk_images_hook import ShrunkImagesHook

__all__ = [
    'BoundedHistoryHook',
    'ChannelsLastHook',
    'CheckAnnotationsHook',
    'CheckImagesHook',
    'LabelWeightsHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
]
