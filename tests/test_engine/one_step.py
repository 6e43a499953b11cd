"""One step of pre-training, in one process or a share of it in each of two.

one_step.py CONFIG OUT [LAYOUT]  the first process writes loss and gradients;
                                 watched: while the gradient monitor looks at
                                 the losses; with_cp, modules: stages of the
                                 backbone are computed again in the backward
                                 pass, by its option or by mmengine's
"""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS, MODELS, DefaultScope
from mmengine.runner.activation_checkpointing import (
    turn_on_activation_checkpointing,
)
from mmpretrain.structures import DataSample
from torch import distributed
from torch.nn.modules.batchnorm import _BatchNorm

import mmselfemd  # noqa: F401
from mmselfemd.engine import FiniteOptimWrapper
from mmselfemd.engine.cpu_distributed import leave_process_group
from mmselfemd.engine.gradient_checkpointing import keep_out_of_autograd
from mmselfemd.monitors import GradientMonitorHook

ROOT = Path(__file__).resolve().parents[2]
BATCH_SIZE = 4


def build_model(cfg):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        model = MODELS.build(
            cfg.model | dict(data_preprocessor=cfg.data_preprocessor)
        )
    model.init_weights()
    model = revert_sync_batchnorm(model)
    model.has_momentum_hook = True
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()  # its batch would differ
    return model


def make_batch(cfg, rank, world_size):
    generator = torch.Generator().manual_seed(1)
    sizes = [view.size for view in cfg.train_pipeline[1]['views']]
    views = [
        torch.randint(
            0, 256, (BATCH_SIZE, 3, size, size), generator=generator
        ).byte()
        for size in sizes
    ]
    share = slice(rank, None, world_size)
    samples = [DataSample() for _ in range(BATCH_SIZE)]
    return dict(
        inputs=[view[share] for view in views], data_samples=samples[share]
    )


def wrap(model):
    """As the runner of several processes does."""
    return MODEL_WRAPPERS.build(
        dict(
            type='MMDistributedDataParallel',
            module=model,
            device_ids=None,
            broadcast_buffers=False,
        )
    )


def watch(model, wrapper):
    """As the runner lets the hook do at the first iteration."""
    hook = GradientMonitorHook()
    runner = SimpleNamespace(
        model=model, optim_wrapper=wrapper, param_schedulers=[], cfg={}, iter=0
    )
    hook.before_train(runner)
    hook.before_train_iter(runner, batch_idx=0)
    return hook


def main(config, out, layout='plain'):
    rank, world_size = 0, int(os.environ.get('WORLD_SIZE', 1))
    cfg = Config.fromfile(ROOT / 'configs' / 'small' / config)
    keep_out_of_autograd()  # as `build_runner` does
    cfg.model.backbone.with_cp = layout == 'with_cp'
    model = build_model(cfg)
    if layout == 'modules':
        stages = ['backbone.layer3', 'backbone.layer4']
        turn_on_activation_checkpointing(model, stages)
    if world_size > 1:
        distributed.init_process_group('gloo')
        rank = distributed.get_rank()
        model = wrap(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    wrapper = FiniteOptimWrapper(torch.optim.SGD(parameters, 0.1))
    inner = getattr(model, 'module', model)
    if layout == 'watched':
        hook = watch(model, wrapper)
    wrapper.zero_grad = lambda **kwargs: None  # leaves them to be read
    losses = model.train_step(make_batch(cfg, rank, world_size), wrapper)
    if layout == 'watched':
        assert 0 < hook.measure(None, [], [], {})['emd_share'] < 1
    loss = losses['loss'].detach()
    if world_size > 1:
        distributed.all_reduce(loss)
        loss /= world_size
    gradients = {
        name: parameter.grad.contiguous()
        for name, parameter in inner.named_parameters()
        if parameter.grad is not None
    }
    if rank == 0:
        torch.save(dict(loss=loss, gradients=gradients), out)
    leave_process_group()


if __name__ == '__main__':
    main(*sys.argv[1:])
