"""Heads: from what the network gives to losses."""

from .byol_head import BYOLHead
from .emd_head import EMDHead
from .erf_adaptive_head import ERFAdaptiveHead

__all__ = ['BYOLHead', 'EMDHead', 'ERFAdaptiveHead']
