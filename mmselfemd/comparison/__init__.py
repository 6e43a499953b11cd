"""Which of two detectors is better, and how sure that is."""

from .coco_files import (
    check_different_runs,
    check_same_images,
    read_annotations,
    read_results,
)
from .detection_matches import DetectionMatches
from .difference import Difference, estimate_difference, half_width
from .intervals import compare, compare_classes, compare_metrics
from .metrics import METRICS

__all__ = [
    'METRICS',
    'Difference',
    'DetectionMatches',
    'check_different_runs',
    'check_same_images',
    'compare',
    'compare_classes',
    'compare_metrics',
    'estimate_difference',
    'half_width',
    'read_annotations',
    'read_results',
]
