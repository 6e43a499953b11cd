"""The model behind the runner."""

from mmengine.model import is_model_wrapper
from torch import nn


def unwrap_model(model: nn.Module) -> nn.Module:
    """Take a model out of its wrapper for several processes.

    Args:
        model (nn.Module): ``runner.model``.

    Returns:
        nn.Module: The model itself.
    """
    return model.module if is_model_wrapper(model) else model
