"""Networks of Self-EMD: the algorithm, its necks and its heads."""

from .heads import BYOLHead, EMDHead
from .necks import DenseProjectionNeck, SPCNeck, VectorProjectionNeck
from .selfsup import SelfEMD

__all__ = [
    'BYOLHead',
    'DenseProjectionNeck',
    'EMDHead',
    'SPCNeck',
    'SelfEMD',
    'VectorProjectionNeck',
]
