"""Pictures of what the method does, drawn from arrays alone."""

from .curves import draw_curves, read_scalars
from .heat import heat_map
from .matching import MatchingPair, draw_matching, draw_matching_figure
from .pairs import matching_pair, read_rgb
from .pyramid import draw_pyramid_crops
from .saving import save_figure

__all__ = [
    'MatchingPair',
    'draw_curves',
    'draw_matching',
    'draw_matching_figure',
    'draw_pyramid_crops',
    'heat_map',
    'matching_pair',
    'read_rgb',
    'read_scalars',
    'save_figure',
]
