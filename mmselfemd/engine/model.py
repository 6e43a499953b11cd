"""What the runner wraps: the model, the optimisers, the batch."""

from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader


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


def accumulative_counts(
    optim_wrapper: OptimWrapper | OptimWrapperDict | dict,
) -> int:
    """How many batches of a process make a step of the optimiser.

    Args:
        optim_wrapper (OptimWrapper | OptimWrapperDict | dict):
            ``runner.optim_wrapper``, built or not yet.

    Returns:
        int: The number; 1 without accumulation.
    """
    if isinstance(optim_wrapper, dict):
        return optim_wrapper.get('accumulative_counts', 1)
    return getattr(optim_wrapper, '_accumulative_counts', 1)


def batch_size_of(loader: DataLoader) -> int:
    """How many images a batch of a process takes.

    Args:
        loader (DataLoader): A loader of the runner's.

    Returns:
        int: The number, also where the loader has none because a batch
        sampler, mmdet's by aspect ratio or ours, was given to it.
    """
    return loader.batch_sampler.batch_size
