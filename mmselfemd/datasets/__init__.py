"""Images without labels, the views cut from them, and montages of objects."""

from .montage_dataset import MontageDataset
from .object_dataset import ObjectDataset
from .seeded_data_loader import SeededDataLoader
from .seeded_dataset import SeededDataset
from .transforms import (
    CropSample,
    CutViews,
    DrawPhotometric,
    LoadDetectionImage,
    LoadImage,
    RandomScale,
    StitchMontage,
)
from .unlabelled_dataset import UnlabelledDataset

__all__ = [
    'CropSample',
    'CutViews',
    'DrawPhotometric',
    'LoadDetectionImage',
    'LoadImage',
    'MontageDataset',
    'ObjectDataset',
    'RandomScale',
    'SeededDataLoader',
    'SeededDataset',
    'StitchMontage',
    'UnlabelledDataset',
]
