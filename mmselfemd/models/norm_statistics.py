"""Use a module without training it: its norms by the batch, or as learnt."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


@contextmanager
def running_statistics(module: nn.Module) -> Iterator[None]:
    """Use a module as at inference, and without gradient.

    Args:
        module (nn.Module): The module to be used. Its parts are in the same
            modes as before when the context ends.
    """
    with _kept_modes(module), torch.no_grad():
        module.eval()
        yield
    # Until torch's pull request 165068 of December 2025, autocast went on with
    # weights that it had cast here, which have no gradient. Compiled code does
    # not keep them.
    if not torch.compiler.is_compiling():
        torch.clear_autocast_cache()


@contextmanager
def batch_statistics(module: nn.Module) -> Iterator[None]:
    """Use a module as in training, without gradient and without a trace.

    Norms take the statistics of the batch, so that an untrained network,
    whose running statistics mean nothing yet, can be measured like a trained
    one; those that training leaves as learnt (``frozen_stages``,
    ``norm_eval``) are left so. Everything else (dropout, drop path) works as
    at inference.

    Args:
        module (nn.Module): The module to be used. Modes and buffers are as
            before when the context ends.
    """
    with _kept_modes(module), torch.no_grad():
        module.train()
        norms = [
            part
            for part in module.modules()
            if isinstance(part, _NormBase) and part.training
        ]
        buffers = [(b, b.clone()) for norm in norms for b in norm.buffers()]
        module.eval()
        for norm in norms:
            norm.train()
        try:
            yield
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)


@contextmanager
def constant_statistics(module: nn.Module, images: Tensor) -> Iterator[None]:
    """Use a module with the statistics of a batch, as constants.

    As :func:`batch_statistics`, but a gradient does not go through the
    statistics, so that no image of the batch acts on another one.

    Args:
        module (nn.Module): The module to be used. Modes and buffers are as
            before when the context ends.
        images (Tensor): The batch, (B, C, H, W).
    """
    with batch_statistics(module):
        norms = [n for n in module.modules() if isinstance(n, _NormBase)]
        momenta = [norm.momentum for norm in norms]
        try:
            for norm in norms:
                norm.momentum = 1.0  # the running statistics are the batch's
            module(images)
            module.eval()
            yield
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum


@contextmanager
def _kept_modes(module: nn.Module) -> Iterator[None]:
    modes = {part: part.training for part in module.modules()}
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
