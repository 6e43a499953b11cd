"""Necks: from the backbone's map to nodes and a vector."""

from .dense_projection_neck import DenseProjectionNeck
from .spc_neck import SPCNeck
from .vector_projection_neck import VectorProjectionNeck

__all__ = ['DenseProjectionNeck', 'SPCNeck', 'VectorProjectionNeck']
