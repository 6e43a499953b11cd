"""From a file to the views of an image."""

from .cut_views import CutViews
from .draw_photometric import DrawPhotometric
from .load_image import LoadImage

__all__ = ['CutViews', 'DrawPhotometric', 'LoadImage']
