"""Hooks that watch a run and leave it as it is, each in a file of its own."""

from .collapse_monitor_hook import CollapseMonitorHook
from .gradient_monitor_hook import GradientMonitorHook
from .initial_validation_hook import InitialValidationHook
from .matching_visualization_hook import MatchingVisualizationHook
from .run_record_hook import RunRecordHook
from .run_report_hook import RunReportHook
from .transport_monitor_hook import TransportMonitorHook

__all__ = [
    'CollapseMonitorHook',
    'GradientMonitorHook',
    'InitialValidationHook',
    'MatchingVisualizationHook',
    'RunRecordHook',
    'RunReportHook',
    'TransportMonitorHook',
]
