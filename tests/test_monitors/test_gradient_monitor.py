"""The share of the flow in the backbone's gradient."""

from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from mmpretrain.structures import DataSample

from mmselfemd.engine.launch import load_config
from mmselfemd.monitors import GradientMonitorHook
from mmselfemd.zoo.frozen_backbone import build_untrained

CONFIG = (
    Path(__file__).resolve().parents[2]
    / 'configs/small/selfemd_r18_voc256_20e.py'
)


@pytest.fixture(scope='module')
def untrained():
    model = build_untrained(load_config(str(CONFIG)))
    model.has_momentum_hook = True
    return model.train()


@pytest.fixture
def model(untrained):
    return deepcopy(untrained)


def losses_of(model):
    generator = torch.Generator().manual_seed(1)
    inputs = [
        torch.randn(4, 3, size, size, generator=generator)
        for size in (112, 112, 56)
    ]
    return model.loss(inputs, [DataSample()] * 4)


def as_runner(model, **cfg):
    return SimpleNamespace(
        model=model,
        cfg=cfg,
        iter=0,
        param_schedulers=[],
        optim_wrapper=None,
        logger=MMLogger.get_current_instance(),
    )


def watch(model, scaler=None):
    """The share in one step, and the losses of it."""
    hook, runner = GradientMonitorHook(), as_runner(model)
    runner.optim_wrapper = SimpleNamespace(loss_scaler=scaler)
    hook.before_train(runner)
    hook.before_train_iter(runner, batch_idx=0)
    losses = losses_of(model)
    hook.after_train(runner)
    return hook.measure(runner, [], [], {})['emd_share'], losses


def length_of_gradient(model, name):
    model = deepcopy(model)  # a forward pass moves the running statistics
    losses_of(model)[name].backward()
    gradients = [p.grad for p in model.backbone.parameters()]
    return torch.cat([gradient.flatten() for gradient in gradients]).norm()


def test_it_is_that_of_the_two_losses_taken_by_themselves(model):
    emd, byol = (
        length_of_gradient(model, name) for name in ('loss_emd', 'loss_byol')
    )
    share, _ = watch(model)
    assert share == pytest.approx(float(emd / (emd + byol)), rel=1e-4)
    assert 0.05 < share < 0.95


@pytest.mark.parametrize('weight, expected', [(0.0, 1.0), (1e6, 0.0)])
def test_it_goes_by_the_losses_as_weighted(model, weight, expected):
    model.head.byol_weight = weight
    share, _ = watch(model)
    assert share == pytest.approx(expected, abs=1e-4)


def test_gradients_that_are_being_summed_are_left_alone(model):
    other = deepcopy(model)
    for each in (model, other):
        for parameter in each.parameters():
            parameter.grad = torch.ones_like(parameter)
    _, losses = watch(model)
    alone = losses_of(other)
    for name, parameter in model.named_parameters():
        assert (parameter.grad == 1).all(), name
    for found in (losses, alone):
        (found['loss_emd'] + found['loss_byol']).backward()
    for found, expected in zip(
        model.parameters(), other.parameters(), strict=True
    ):
        assert torch.equal(found.grad, expected.grad)
    for found, expected in zip(model.buffers(), other.buffers(), strict=True):
        assert torch.equal(found, expected)


def test_the_scale_of_half_precision_does_not_count(model):
    other = deepcopy(model)
    scaled, _ = watch(
        model, SimpleNamespace(scale=lambda loss: loss * 2.0**16)
    )
    assert scaled == pytest.approx(watch(other)[0], rel=1e-4)


def test_gradients_that_are_zero_or_not_finite_have_no_share():
    hook = GradientMonitorHook()
    for lengths in ((0.0, 0.0), (float('nan'), 1.0), (float('inf'), 1.0)):
        hook._norms = [torch.tensor(each) for each in lengths]
        assert hook.measure(None, [], [], {}) == {}


def test_where_gradients_cannot_be_taken_apart_the_log_says_so(model, logged):
    frozen, checkpointed = deepcopy(model), deepcopy(model)
    frozen.backbone.requires_grad_(False)
    checkpointed.backbone.layer2[0].with_cp = True
    for each, cfg, reason in (
        (frozen, {}, 'no parameter of the backbone'),
        (checkpointed, {}, 'checkpointed blocks'),
        (
            model,
            dict(activation_checkpointing=['backbone.layer2']),
            'checkpointed blocks',
        ),
        (model, dict(compile=True), 'compiled'),
    ):
        runner = as_runner(each, **cfg)
        hook = GradientMonitorHook()
        hook.before_train(runner)
        assert reason in logged.pop() and not logged
        hook.before_train_iter(runner, batch_idx=0)
        losses_of(each)
        assert hook._seen is None
