"""Images without labels, and the views that are cut from them."""

from .seeded_data_loader import SeededDataLoader
from .seeded_dataset import SeededDataset
from .transforms import (
    CutViews,
    DrawPhotometric,
    LoadDetectionImage,
    LoadImage,
)
from .unlabelled_dataset import UnlabelledDataset

__all__ = [
    'CutViews',
    'DrawPhotometric',
    'LoadDetectionImage',
    'LoadImage',
    'SeededDataLoader',
    'SeededDataset',
    'UnlabelledDataset',
]
