"""Images without labels, and the views that are cut from them."""

from .transforms import CutViews, LoadImage
from .unlabelled_dataset import UnlabelledDataset

__all__ = ['CutViews', 'LoadImage', 'UnlabelledDataset']
