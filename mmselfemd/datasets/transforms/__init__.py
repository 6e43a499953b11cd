"""From a file to the views of an image."""

from .cut_views import CutViews
from .load_image import LoadImage

__all__ = ['CutViews', 'LoadImage']
