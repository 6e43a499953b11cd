"""Norms that use the statistics of the batch, and remember nothing of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase


@contextmanager
def batch_statistics(module: nn.Module) -> Iterator[None]:
    """Use a module as in training, without gradient and without a trace.

    Norms take the statistics of the batch, so that an untrained network,
    whose running statistics mean nothing yet, can be measured like a trained
    one. Everything else (dropout, drop path) works as at inference.

    Args:
        module (nn.Module): The module to be used. Modes and buffers are as
            before when the context ends.
    """
    modes = {part: part.training for part in module.modules()}
    module.eval()
    norms = [part for part in module.modules() if isinstance(part, _NormBase)]
    buffers = [
        (buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()
    ]
    for norm in norms:
        norm.train()
    try:
        with torch.no_grad():
            yield
    finally:
        for buffer, before in buffers:
            buffer.copy_(before)
        for part, training in modes.items():
            part.training = training
