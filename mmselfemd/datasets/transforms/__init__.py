"""From a file to the views of an image."""

from .cut_views import CutViews
from .draw_photometric import DrawPhotometric
from .load_detection_image import LoadDetectionImage
from .load_image import LoadImage
from .montage import CropSample, RandomScale, StitchMontage

__all__ = [
    'CropSample',
    'CutViews',
    'DrawPhotometric',
    'LoadDetectionImage',
    'LoadImage',
    'RandomScale',
    'StitchMontage',
]
