"""Hooks, each in a file of its own."""

from .channels_last_hook import ChannelsLastHook
from .collapse_monitor_hook import CollapseMonitorHook
from .initial_validation_hook import InitialValidationHook
from .momentum_update_hook import MomentumUpdateHook
from .precise_bn_hook import PreciseBNHook
from .preemption_hook import PreemptionHook
from .pretrained_backbone_hook import PretrainedBackboneHook
from .run_report_hook import RunReportHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .shrunk_images_hook import ShrunkImagesHook
from .transport_monitor_hook import TransportMonitorHook

__all__ = [
    'ChannelsLastHook',
    'CollapseMonitorHook',
    'InitialValidationHook',
    'MomentumUpdateHook',
    'PreciseBNHook',
    'PreemptionHook',
    'PretrainedBackboneHook',
    'RunReportHook',
    'SafeCheckpointHook',
    'ShrunkImagesHook',
    'TransportMonitorHook',
]
