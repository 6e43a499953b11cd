"""What can be measured of a backbone, without labels and with some."""

from .boxes import Boxes, cut_boxes, read_boxes
from .geometry import (
    correspondences,
    nodes_in_image,
    overlap,
    receptive_field_centres,
)
from .known_pairs import KnownPairs, KnownPairsHead
from .matching import (
    MatchingResult,
    match_batch,
    match_views,
    measure_matching,
)
from .matching_metric import MatchingAccuracy

__all__ = [
    'Boxes',
    'KnownPairs',
    'KnownPairsHead',
    'MatchingAccuracy',
    'MatchingResult',
    'correspondences',
    'cut_boxes',
    'match_batch',
    'match_views',
    'measure_matching',
    'nodes_in_image',
    'overlap',
    'read_boxes',
    'receptive_field_centres',
]
