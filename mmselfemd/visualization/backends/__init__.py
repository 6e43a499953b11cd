"""Backends of mmengine's visualizer, where mmengine's own do not work."""

from .mlflow_backend import MLflowVisBackend
from .wandb_backend import WandbVisBackend

__all__ = ['MLflowVisBackend', 'WandbVisBackend']
