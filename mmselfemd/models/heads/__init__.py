"""Heads: from nodes and vectors of the views to losses."""

from .emd_head import EMDHead

__all__ = ['EMDHead']
