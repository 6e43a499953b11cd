"""From a folder to a detector, in three lines of Python.

``tools/pretrain.py`` and ``tools/finetune.py`` are thin over it.
"""

from .finetuning import FinetunedDetector, finetune
from .pretraining import pretrain

__all__ = ['FinetunedDetector', 'finetune', 'pretrain']
