"""Heads: from what the network gives to losses."""

from .byol_head import BYOLHead
from .emd_head import EMDHead
from .erf_adaptive_head import ERFAdaptiveHead
from .given_flow_head import GivenFlowHead
from .known_pairs_head import KnownPairsHead

__all__ = [
    'BYOLHead',
    'EMDHead',
    'ERFAdaptiveHead',
    'GivenFlowHead',
    'KnownPairsHead',
]
