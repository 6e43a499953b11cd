"""A model's buffers, kept so that they can be put back."""

from collections import defaultdict

import torch
from torch import Tensor, nn


class BufferSnapshot:
    """A copy of every buffer of a model.

    Buffers are what a forward pass changes by itself: running statistics of
    norms, a queue of keys. The memory of the copy is taken once, and a copy
    is one call for each type of number, without waiting for the device.

    Args:
        model (nn.Module): The model. Its buffers must stay the same tensors,
            changed in place, as torch's norms and ``load_state_dict`` do.
    """

    def __init__(self, model: nn.Module) -> None:
        by_kind: dict[tuple, list[Tensor]] = defaultdict(list)
        for buffer in model.buffers():
            by_kind[buffer.dtype, buffer.device].append(buffer)
        self._pairs = [
            (buffers, [torch.empty_like(buffer) for buffer in buffers])
            for buffers in by_kind.values()
        ]

    @torch.no_grad()
    def save(self) -> None:
        """Copy the buffers."""
        for buffers, copies in self._pairs:
            torch._foreach_copy_(copies, buffers)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the buffers back to what they were when saved."""
        for buffers, copies in self._pairs:
            torch._foreach_copy_(buffers, copies)
