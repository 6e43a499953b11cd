"""What mmengine's runner calls: the hooks of this project."""

from .hooks import *  # noqa: F401, F403
