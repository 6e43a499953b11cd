"""Batch norm statistics recomputed with fixed weights before evaluation."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from itertools import islice
from math import ceil

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import BatchSampler, DataLoader

from mmselfemd.engine.averaged_weights import averaged_weights
from mmselfemd.engine.model import unwrap_model
from mmselfemd.random_state import kept_random_state
from mmselfemd.registry import HOOKS


@HOOKS.register_module()
class PreciseBNHook(Hook):
    """Recompute the statistics of batch norm before evaluation.

    The running averages of training mix the statistics of different weights.
    Here they are replaced by those of the present weights over
    ``num_images`` training images: the mean of the batches' means, and
    ``E[var + mean^2] - E[mean]^2`` for the variance, over all batches of all
    processes, each by its number of images (`Rethinking "Batch" in BatchNorm
    <https://arxiv.org/abs/2105.07576>`_, section 3; Detectron2 does the same).

    mmpretrain's hook of this name takes its batches from the training stream
    and divides by ``loader.batch_size``, which is None under mmdet's batch
    sampler. This one has a loader of its own over the training data, with
    the config's samplers, and leaves everything else as it was: parameters,
    optimiser, other buffers, data preprocessor, train and eval modes, random
    generators. Where ``EMAHook`` averages the weights, which are then what is
    evaluated and saved, the statistics are theirs.

    It runs after the iteration (or epoch) that an evaluation follows, ahead
    of the checkpoint hook, so that a checkpoint of that moment holds the
    recomputed statistics.

    Args:
        num_images (int): Number of training images, over all processes; at
            most the data set is gone through once. Defaults to 3200, which
            is 200 batches of 16, Detectron2's default.
        interval (int, optional): Iterations (or epochs, in a loop by epoch)
            between two runs; the last one always counts. Defaults to None,
            the interval of validation.
        num_workers (int, optional): Worker processes of the loader. Defaults
            to None, as in ``train_dataloader``.

    Raises:
        ValueError: If a number is not positive.
    """

    # After the logger and the scheduler, before CheckpointHook (VERY_LOW).
    priority = 'LOW'

    def __init__(
        self,
        num_images: int = 3200,
        interval: int | None = None,
        num_workers: int | None = None,
    ) -> None:
        if num_images < 1:
            raise ValueError(f'num_images: expected >= 1, got {num_images}')
        if interval is not None and interval < 1:
            raise ValueError(f'interval: expected >= 1, got {interval}')
        self.num_images = num_images
        self.interval = interval
        self.num_workers = num_workers

    def before_train(self, runner: Runner) -> None:
        """Fail now, and not after hours, where no loader can be built.

        Raises:
            ValueError: If the runner has no config of its training data.
        """
        if not isinstance(runner.cfg.get('train_dataloader'), dict):
            raise ValueError(
                'PreciseBNHook builds a loader of its own: the runner has to '
                'be given cfg=dict(train_dataloader=dict(...))'
            )

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Run where an evaluation follows, in a loop by iteration."""
        if isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        if self.is_last_train_iter(runner) or self.every_n_train_iters(
            runner, self._interval(runner)
        ):
            self.recompute(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Run where an evaluation follows, in a loop by epoch."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        if self.is_last_train_epoch(runner) or self.every_n_epochs(
            runner, self._interval(runner)
        ):
            self.recompute(runner)

    def _interval(self, runner: Runner) -> int:
        """Interval between two runs; 0, which is never, without validation."""
        if self.interval is not None:
            return self.interval
        return 0 if runner._val_loop is None else runner.val_interval

    def recompute(self, runner: Runner) -> None:
        """Recompute the statistics now.

        Args:
            runner (Runner): The runner, after ``before_train``.
        """
        model = unwrap_model(runner.model)
        layers = batch_norm_layers(model)
        if not layers:
            runner.logger.warning(
                'Precise BN: the model has no batch norm '
                'in train mode; nothing to recompute.'
            )
            return
        with kept_random_state(), averaged_weights(runner):
            loader = self._build_loader(runner)
            runner.logger.info(
                'Precise BN: statistics of %d layers over %d batches ...',
                len(layers),
                len(loader),
            )
            with fresh_statistics(model, layers) as sums:
                self._forward(runner, model, loader, sums)

    def _build_loader(self, runner: Runner) -> DataLoader:
        """Return a loader over as many batches of the training data."""
        training = runner.train_dataloader
        dataset = training.dataset
        cfg = runner.cfg.train_dataloader
        # `runner.seed` may differ between processes; the iteration does not,
        # and the sampler needs one seed for all to deal the images out.
        sampler = DATA_SAMPLERS.build(
            dict(cfg['sampler']),
            default_args=dict(dataset=dataset, seed=runner.iter),
        )
        options = dict(sampler=sampler, batch_size=cfg['batch_size'])
        batches = (
            BatchSampler(**options, drop_last=False)
            if cfg.get('batch_sampler') is None
            else DATA_SAMPLERS.build(
                dict(cfg['batch_sampler']), default_args=options
            )
        )
        num_images = min(self.num_images, len(dataset))
        num_batches = ceil(num_images / (cfg['batch_size'] * get_world_size()))
        return DataLoader(
            dataset,
            batch_sampler=list(islice(batches, num_batches)),
            num_workers=cfg.get('num_workers', 0)
            if self.num_workers is None
            else self.num_workers,
            collate_fn=training.collate_fn,
            worker_init_fn=training.worker_init_fn,
        )

    @staticmethod
    def _forward(
        runner: Runner,
        model: nn.Module,
        loader: DataLoader,
        sums: 'dict[nn.Module, _Sums]',
    ) -> None:
        start, num_batches = time.time(), len(loader)
        # Some remember what they drew for the next batch of training, as
        # mmdet's BatchSyncRandomResize does outside of its buffers.
        preprocessor = deepcopy(model.data_preprocessor)
        for done, data in enumerate(loader, 1):
            for each in sums.values():
                each.num_images = len(loader.batch_sampler[done - 1])
            # The precision of training: autocast where it has autocast.
            with torch.no_grad(), runner.optim_wrapper.optim_context(model):
                data = preprocessor(data, True)
                model._run_forward(data, mode='loss')
            if done % 50 == 0:
                left = (time.time() - start) / done * (num_batches - done)
                runner.logger.info(
                    'Precise BN: batch %d of %d, %.0f s left',
                    done,
                    num_batches,
                    left,
                )


def batch_norm_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers in train mode that keep running statistics.

    Args:
        model (nn.Module): The model.

    Returns:
        list[nn.Module]: BN and SyncBN layers, torch's and mmcv's.
    """
    return [
        module
        for module in model.modules()
        if module.training
        and hasattr(module, 'momentum')
        and getattr(module, 'running_mean', None) is not None
    ]


@contextmanager
def fresh_statistics(
    model: nn.Module, layers: list[nn.Module]
) -> 'Iterator[dict[nn.Module, _Sums]]':
    """Replace running statistics by those of the forward passes inside.

    A layer that is called several times in a pass (shared by the levels of a
    pyramid, say) counts each call. One that is not called keeps its
    statistics, and so do all if an error ends the block early. All other
    buffers of the model are put back.

    Args:
        model (nn.Module): The model.
        layers (list[nn.Module]): Its batch norm layers in train mode.

    Yields:
        dict[nn.Module, _Sums]: The sums of each layer, to be told before a
        pass how many images it has.
    """
    # With momentum 1 the running statistics are those of the last call.
    before = {name: b.clone() for name, b in model.named_buffers()}
    momenta = [layer.momentum for layer in layers]
    sums = {layer: _Sums(layer) for layer in layers}
    with ExitStack() as stack:
        for layer in layers:
            handle = layer.register_forward_hook(sums[layer].add)
            stack.callback(handle.remove)
            layer.momentum = 1.0
            layer.reset_running_stats()  # 0 * nan would stay nan
        try:
            yield sums
        finally:
            with torch.no_grad():
                for name, buffer in model.named_buffers():
                    buffer.copy_(before[name])
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
    total = torch.cat([sums[layer].flat() for layer in layers])
    all_reduce(total)
    for layer in layers:
        size = 1 + 2 * layer.running_mean.numel()
        sums[layer].write(total[:size])
        total = total[size:]


class _Sums:
    """Sums, in float64, over the calls of one layer, by their images."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer
        self.num_images = 1  # of the batch that is passed
        self.count = 0
        self.mean = torch.zeros_like(layer.running_mean, dtype=torch.double)
        self.square = torch.zeros_like(self.mean)

    def add(self, layer: nn.Module, args: tuple, output: torch.Tensor) -> None:
        mean = layer.running_mean.double()
        square = layer.running_var.double() + mean.square()
        self.count += self.num_images
        self.mean += self.num_images * mean
        self.square += self.num_images * square

    def flat(self) -> torch.Tensor:
        return torch.cat(
            [self.mean.new_tensor([self.count]), self.mean, self.square]
        )

    def write(self, total: torch.Tensor) -> None:
        count, (mean, square) = total[0], total[1:].chunk(2)
        if count > 0:
            mean = mean / count
            self.layer.running_mean.copy_(mean)
            self.layer.running_var.copy_(square / count - mean.square())
