"""From a folder to a detector, in three lines of Python.

``tools/pretrain.py`` and ``tools/finetune.py`` are thin over it.
"""

from .finetune import FinetunedDetector, finetune
from .pretrain import pretrain

__all__ = ['FinetunedDetector', 'finetune', 'pretrain']
