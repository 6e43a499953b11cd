"""Learning rates as mmengine's runner takes them; it is no test itself."""

from collections.abc import Iterator
from types import SimpleNamespace
from unittest.mock import Mock

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import EpochBasedTrainLoop, Runner


def rates(cfg: Config, epoch_length: int) -> Iterator[float]:
    """The learning rate of each iteration of a run by epoch."""
    epochs = cfg.train_cfg.max_epochs
    runner = SimpleNamespace(
        _train_loop=object.__new__(EpochBasedTrainLoop),
        max_epochs=epochs,
        max_iters=epochs * epoch_length,
        train_dataloader=range(epoch_length),
        logger=Mock(),
    )
    parameter = torch.nn.Parameter(torch.zeros(1))
    lr = cfg.optim_wrapper.optimizer.lr
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=lr))
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        schedulers = Runner._build_param_scheduler(
            runner, cfg.param_scheduler, wrapper
        )
    for iteration in range(epochs * epoch_length):
        yield wrapper.get_lr()['lr'][0]
        wrapper.optimizer.step()
        for scheduler in schedulers:
            if not scheduler.by_epoch or (iteration + 1) % epoch_length == 0:
                scheduler.step()
