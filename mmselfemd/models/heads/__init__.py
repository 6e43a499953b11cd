"""Heads: from nodes and vectors of the views to losses."""

from .byol_head import BYOLHead
from .emd_head import EMDHead

__all__ = ['BYOLHead', 'EMDHead']
