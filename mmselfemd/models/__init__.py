"""Networks of Self-EMD and its rivals: algorithms, necks and heads."""

from .classifiers import Montage
from .data_preprocessors import PhotometricPreprocessor
from .heads import BYOLHead, EMDHead, ERFAdaptiveHead
from .necks import DenseProjectionNeck, SPCNeck, VectorProjectionNeck
from .selfsup import SelfEMD

__all__ = [
    'BYOLHead',
    'DenseProjectionNeck',
    'EMDHead',
    'ERFAdaptiveHead',
    'Montage',
    'PhotometricPreprocessor',
    'SPCNeck',
    'SelfEMD',
    'VectorProjectionNeck',
]
