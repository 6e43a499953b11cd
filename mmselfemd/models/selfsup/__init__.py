"""Self-supervised algorithms."""

from .self_emd import SelfEMD

__all__ = ['SelfEMD']
