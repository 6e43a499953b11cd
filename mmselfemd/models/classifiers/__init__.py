"""Algorithms that learn from labels."""

from .montage import Montage

__all__ = ['Montage']
