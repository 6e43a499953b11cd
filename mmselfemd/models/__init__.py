"""Networks of Self-EMD: the algorithm, its necks and its heads."""

from .data_preprocessors import PhotometricPreprocessor
from .heads import BYOLHead, EMDHead
from .necks import DenseProjectionNeck, SPCNeck, VectorProjectionNeck
from .selfsup import SelfEMD

__all__ = [
    'BYOLHead',
    'DenseProjectionNeck',
    'EMDHead',
    'PhotometricPreprocessor',
    'SPCNeck',
    'SelfEMD',
    'VectorProjectionNeck',
]
