"""Keeps the network's maps with the channels last in memory."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmselfemd.engine.model import unwrap_model
from mmselfemd.registry import HOOKS


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Turns the model's weights to ``torch.channels_last``.

    Convolutions then give maps of that layout, whatever that of the images,
    which tensor cores take without a transposition. Only the strides change:
    the loss is the same up to rounding, and checkpoints are read and written
    with and without the hook. mmengine has no switch for it:

    .. code-block:: python

        default_hooks = dict(channels_last=dict(type='ChannelsLastHook'))
    """

    def before_train(self, runner: Runner) -> None:
        """Turn the weights, after they were initialised or loaded.

        Args:
            runner (Runner): The runner of the training process.
        """
        unwrap_model(runner.model).to(memory_format=torch.channels_last)
