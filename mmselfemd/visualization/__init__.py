"""Pictures of what the method does, drawn from arrays alone."""

from .all_positions import draw_all_positions
from .backends import MLflowVisBackend, WandbVisBackend
from .curve_sources import read_curves
from .curves import draw_curves, read_scalars
from .flow_lines import draw_flow_lines
from .heat import heat_map
from .matched_crops import MatchingPair
from .matching import draw_matching, draw_matching_figure
from .montages import draw_montage
from .page import Picture, write_page
from .pairs import (
    matching_pair,
    matching_pair_of_crops,
    most_overlapping,
    most_overlapping_pairs,
    read_rgb,
)
from .pyramid import draw_pyramid_crops
from .saving import save_figure, to_image
from .views import draw_views

__all__ = [
    'MLflowVisBackend',
    'MatchingPair',
    'Picture',
    'WandbVisBackend',
    'draw_all_positions',
    'draw_curves',
    'draw_flow_lines',
    'draw_matching',
    'draw_matching_figure',
    'draw_montage',
    'draw_pyramid_crops',
    'draw_views',
    'heat_map',
    'matching_pair',
    'matching_pair_of_crops',
    'most_overlapping',
    'most_overlapping_pairs',
    'read_curves',
    'read_rgb',
    'read_scalars',
    'save_figure',
    'to_image',
    'write_page',
]
