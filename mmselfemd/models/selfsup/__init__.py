"""Self-supervised algorithms."""

from .known_pairs import KnownPairs
from .self_emd import SelfEMD

__all__ = ['KnownPairs', 'SelfEMD']
