"""Pictures of any kind, bands and values, and 8-bit colour of them."""

from .mapping import ValueMapping
from .opening import open_picture
from .picture import Picture

__all__ = ['Picture', 'ValueMapping', 'open_picture']
