"""Keeps the network's maps with the channels last in memory."""

from collections.abc import Sequence

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmengine.utils import apply_to
from torch import Tensor, nn
from torch.optim import Optimizer

from mmselfemd.engine.model import optimizers_of
from mmselfemd.registry import HOOKS

# https://github.com/uxlfoundation/oneDNN/issues/6035, open in November 2026:
# strided 1 x 1 convolutions of fewer input channels than a block, which is 16
# with AVX-512 and 8 with AVX2.
_SAFE_CHANNELS = 16


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Turns the model's weights to ``torch.channels_last``.

    Convolutions then give maps of that layout, whatever that of the images.
    On a CPU a step takes about two thirds of the time; tensor cores take such
    maps without a transposition, but how much that gives was not measured
    (docs/step.md). Only the strides change: the loss is the same up to
    rounding, and checkpoints hold the plain layout, with and without the
    hook. mmengine has no switch for it. It does nothing, and says so, in
    several processes, and on a CPU for a network with which oneDNN is not
    safe. In one process on a GPU too:

    .. code-block:: python

        default_hooks = dict(channels_last=dict(devices=['cpu', 'cuda']))

    Args:
        devices (Sequence[str]): Types of the devices where it acts.
            Defaults to ('cpu',).
    """

    def __init__(self, devices: Sequence[str] = ('cpu',)) -> None:
        self.devices = tuple(devices)

    def before_train(self, runner: Runner) -> None:
        """Turn the weights, after they were initialised or loaded.

        What the optimiser keeps for each weight is turned too, where a
        checkpoint has brought it.
        """
        model = runner.model
        device = next(model.parameters()).device.type
        if device not in self.devices:
            return
        if reason := _reason_against(model, device):
            runner.logger.info(f'Channels stay first in memory: {reason}.')
            return
        model.to(memory_format=torch.channels_last)
        for optimizer in optimizers_of(runner.optim_wrapper):
            _turn_state(optimizer)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Save the plain layout, which every reader expects."""
        for name in {'state_dict', 'optimizer'} & checkpoint.keys():
            plain = apply_to(
                checkpoint[name], torch.is_tensor, Tensor.contiguous
            )
            # Versions of the modules, by which they know older files.
            if metadata := getattr(checkpoint[name], '_metadata', None):
                plain._metadata = metadata
            checkpoint[name] = plain


def _reason_against(model: nn.Module, device: str) -> str | None:
    """Why a model is better left alone."""
    if is_model_wrapper(model):
        # DDP has laid out its buckets by the strides that it found.
        return 'several processes exchange gradients in that layout'
    for name, module in model.named_modules():
        if (
            device == 'cpu'
            and isinstance(module, nn.Conv2d)
            and module.kernel_size == (1, 1)
            and module.stride != (1, 1)
            and module.in_channels // module.groups < _SAFE_CHANNELS
        ):
            return (
                'oneDNN would write beyond its memory in the backward pass '
                f'of {name}, of fewer than {_SAFE_CHANNELS} channels (its '
                'issue 6035)'
            )
    return None


def _turn_state(optimizer: Optimizer) -> None:
    """Turn what an optimiser keeps for each weight."""
    for state in optimizer.state.values():
        for name, value in state.items():
            if torch.is_tensor(value) and value.dim() == 4:
                state[name] = value.contiguous(
                    memory_format=torch.channels_last
                )
