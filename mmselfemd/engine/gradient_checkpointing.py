"""Gradient checkpointing of a network that a step uses once a view."""

from functools import partial

import torch.utils.checkpoint
from mmengine.runner import activation_checkpointing


def keep_out_of_autograd() -> None:
    """Let blocks that are computed again be part of the graph as they were.

    ``with_cp`` of mmpretrain's and mmdet's backbones and mmengine's
    ``activation_checkpointing`` leave ``use_reentrant`` of torch's
    ``checkpoint`` open, and torch 2 takes True, which it advises against: the
    first step of several processes fails then, since
    ``DistributedDataParallel`` sees the parameters of a block once a view,
    and so does ``torch.autograd.grad``. From this call on, the process takes
    False where it is left open.
    """
    for module in torch.utils.checkpoint, activation_checkpointing:
        if not isinstance(module.checkpoint, partial):
            module.checkpoint = partial(module.checkpoint, use_reentrant=False)
