"""What can be measured without labels."""

from .geometry import (
    correspondences,
    nodes_in_image,
    overlap,
    receptive_field_centres,
)
from .matching import (
    MatchingResult,
    match_batch,
    match_views,
    measure_matching,
)

__all__ = [
    'MatchingResult',
    'correspondences',
    'match_batch',
    'match_views',
    'measure_matching',
    'nodes_in_image',
    'overlap',
    'receptive_field_centres',
]
