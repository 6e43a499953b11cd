"""What a training step keeps in memory, computed on any device."""

from collections import Counter

import torch
from mmengine.config import Config
from mmengine.device import get_device
from step_contestants import Step, config_step
from torch import Tensor

#: Images of each view in the two steps that are counted.
SMALL, LARGE = 2, 4


def step_memory(
    cfg: Config, views: list[Tensor], batch_size: int
) -> dict[str, dict[str, float]]:
    """Bytes of a step in float32, in mixed precision, with checkpointing.

    Args:
        cfg (Config): The config of a Self-EMD or BYOL run.
        views (list[Tensor]): Normalised images of each view, four of each.
        batch_size (int): The number of images that is asked for.

    Returns:
        dict[str, dict[str, float]]: Bytes by part, for each way.
    """
    step = config_step(cfg, views)
    with_cp = config_step(_with_cp(cfg), views)
    return {
        'float32': step_bytes(step, batch_size, amp=False),
        'AMP': step_bytes(step, batch_size, amp=True),
        'with_cp': step_bytes(with_cp, batch_size, amp=False),
        'AMP, with_cp': step_bytes(with_cp, batch_size, amp=True),
    }


def step_bytes(step: Step, batch_size: int, amp: bool) -> dict[str, float]:
    """Bytes that a step of a batch size has to hold at once.

    What autograd saves grows linearly with the batch: it is counted with two
    and with four images. Left out are the space that convolutions work in,
    gradients of feature maps, of which a few live at a time, and what a GPU's
    own context takes.

    Args:
        step (Step): A step with at least four images.
        batch_size (int): The number of images that is asked for.
        amp (bool): Whether in mixed precision. On a CPU that is bfloat16,
            whose numbers are as large as those of float16.

    Returns:
        dict[str, float]: Bytes by part, and their ``total``.
    """
    small, large = (
        saved_bytes(step, num_images, amp) for num_images in (SMALL, LARGE)
    )
    slope = (large - small) / (LARGE - SMALL)
    model = step.model
    key = sum(_nbytes(part) for part in model.key.parameters())
    everything = sum(_nbytes(part) for part in model.parameters())
    trained = everything - key
    parts = dict(
        weights=trained,
        key_encoder=key,
        gradients=trained,
        optimiser=trained,  # SGD's momentum
        views=batch_size * sum(_nbytes(view[0]) for view in step.views),
        saved=small + slope * (batch_size - SMALL),
    )
    return parts | dict(total=sum(parts.values()))


def saved_bytes(step: Step, num_images: int, amp: bool) -> int:
    """Bytes that autograd holds at once, at most, during a step.

    Args:
        step (Step): The step.
        num_images (int): How many of its images are used.
        amp (bool): Whether in mixed precision.

    Returns:
        int: Bytes of all storages but those of weights and views; with
        gradient checkpointing those of the recomputed part, too.
    """
    model = step.model
    views = [view[:num_images] for view in step.views]
    ledger = _Ledger([*model.parameters(), *model.buffers(), *views])
    with ledger.hooks():
        with torch.autocast(get_device(), torch.bfloat16, enabled=amp):
            losses = model(views, step.samples[:num_images], mode='loss')
        model.parse_losses(losses)[0].backward()
    model.zero_grad()
    return ledger.peak


class _Ledger:
    """Bytes of the storages that autograd holds, each counted once."""

    def __init__(self, own: list[Tensor]) -> None:
        self.peak = self._bytes = 0
        self._holders: Counter[int] = Counter()
        self._own = {tensor.untyped_storage().data_ptr() for tensor in own}

    def hooks(self) -> torch.autograd.graph.saved_tensors_hooks:
        return torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: _Held(tensor, self), lambda held: held.tensor
        )

    def add(self, tensor: Tensor, count: int) -> None:
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address in self._own:
            return
        before = self._holders[address]
        self._holders[address] += count
        if not before or not self._holders[address]:
            self._bytes += count * storage.nbytes()
            self.peak = max(self.peak, self._bytes)


class _Held:
    """A tensor for as long as autograd holds it."""

    def __init__(self, tensor: Tensor, ledger: _Ledger) -> None:
        self.tensor, self._ledger = tensor, ledger
        ledger.add(tensor, 1)

    def __del__(self) -> None:
        self._ledger.add(self.tensor, -1)


def _nbytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _with_cp(cfg: Config) -> Config:
    cfg = Config(cfg.to_dict(), filename=cfg.filename)
    cfg.model.backbone.with_cp = True
    return cfg
