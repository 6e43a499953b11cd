"""The model and the optimisers behind the runner."""

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.optim import Optimizer


def unwrap_model(model: nn.Module) -> nn.Module:
    """Take a model out of its wrapper for several processes.

    Args:
        model (nn.Module): ``runner.model``.

    Returns:
        nn.Module: The model itself.
    """
    return model.module if is_model_wrapper(model) else model


def optimizers_of(
    optim_wrapper: OptimWrapper | OptimWrapperDict,
) -> list[Optimizer]:
    """Take the optimisers out of their wrapper, one or several.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict):
            ``runner.optim_wrapper``.

    Returns:
        list[Optimizer]: The optimisers.
    """
    if isinstance(optim_wrapper, OptimWrapperDict):
        return [part.optimizer for _, part in optim_wrapper.items()]
    return [optim_wrapper.optimizer]
