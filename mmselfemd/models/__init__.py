"""Networks of Self-EMD and its rivals: algorithms, necks and heads."""

from .classifiers import Montage
from .data_preprocessors import PhotometricPreprocessor
from .heads import BYOLHead, EMDHead, ERFAdaptiveHead, KnownPairsHead
from .necks import DenseProjectionNeck, SPCNeck, VectorProjectionNeck
from .selfsup import KnownPairs, SelfEMD

__all__ = [
    'BYOLHead',
    'DenseProjectionNeck',
    'EMDHead',
    'ERFAdaptiveHead',
    'KnownPairs',
    'KnownPairsHead',
    'Montage',
    'PhotometricPreprocessor',
    'SPCNeck',
    'SelfEMD',
    'VectorProjectionNeck',
]
