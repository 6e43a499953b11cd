"""Networks of Self-EMD: the algorithm, its necks and its head."""

from .heads import EMDHead
from .necks import DenseProjectionNeck, SPCNeck
from .selfsup import SelfEMD

__all__ = ['DenseProjectionNeck', 'EMDHead', 'SPCNeck', 'SelfEMD']
