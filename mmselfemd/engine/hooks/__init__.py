"""Hooks, each in a file of its own."""

from .bounded_history_hook import BoundedHistoryHook
from .channels_last_hook import ChannelsLastHook
from .collapse_monitor_hook import CollapseMonitorHook
from .gradient_monitor_hook import GradientMonitorHook
from .initial_validation_hook import InitialValidationHook
from .matching_picture_hook import MatchingPictureHook
from .momentum_update_hook import MomentumUpdateHook
from .precise_bn_hook import PreciseBNHook
from .preemption_hook import PreemptionHook
from .pretrained_backbone_hook import PretrainedBackboneHook
from .run_record_hook import RunRecordHook
from .run_report_hook import RunReportHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .shrunk_images_hook import ShrunkImagesHook
from .transport_monitor_hook import TransportMonitorHook

__all__ = [
    'BoundedHistoryHook',
    'ChannelsLastHook',
    'CollapseMonitorHook',
    'GradientMonitorHook',
    'InitialValidationHook',
    'MatchingPictureHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'RunRecordHook',
    'RunReportHook',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
    'TransportMonitorHook',
]
