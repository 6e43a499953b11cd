"""PreciseBNHook against statistics computed literally in float64."""

import random
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.registry import DATA_SAMPLERS, DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import BatchSampler, Dataset
from two_processes import two_processes

from mmselfemd.engine.hooks import PreciseBNHook
from mmselfemd.engine.hooks.precise_bn_hook import fresh_statistics


class Numbers(Dataset):
    """Rows of noise."""

    def __init__(self, size, augment=False):
        generator = torch.Generator().manual_seed(3)
        self.rows = torch.randn(size, 3, generator=generator) * 2 + 1
        self.augment = augment

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row = self.rows[index]
        if self.augment:  # uses all generators, as mmdet's transforms do
            row = row + np.random.rand() + random.random() + torch.rand(1)
        return dict(inputs=row)


class TwoNorms(BaseModel):
    """Two norms, the second called twice, and a buffer of its own."""

    def __init__(self):
        super().__init__()
        self.first = nn.BatchNorm1d(3, momentum=0.3)
        self.linear = nn.Linear(3, 4)
        self.second = nn.BatchNorm1d(4)
        self.frozen = nn.BatchNorm1d(4)
        self.unused = nn.BatchNorm1d(4)
        self.register_buffer('calls', torch.zeros(()))
        self.seen = []

    def train(self, mode=True):
        super().train(mode)
        if hasattr(self, 'frozen'):
            self.frozen.eval()
        return self

    def forward(self, inputs, mode='tensor'):
        inputs = torch.stack(inputs)
        if mode != 'loss':
            return [dict(x=1.0)] * len(inputs)
        self.calls += 1
        self.seen.append((inputs.clone(), torch.is_grad_enabled()))
        x = self.linear(self.first(inputs))
        y = self.second(x) + self.second(3 * x[:2] + 1).mean()
        return dict(loss=self.frozen(y).square().mean())


class Remembering(BaseDataPreprocessor):
    """Counts batches, as mmdet's BatchSyncRandomResize keeps a size."""

    num_batches = 0

    def forward(self, data, training=False):
        self.num_batches += 1
        return super().forward(data, training)


@pytest.fixture(autouse=True)
def registered():
    for registry, module in [(DATASETS, Numbers), (MODELS, TwoNorms)]:
        registry.register_module(module=module, force=True)
    DATA_SAMPLERS.register_module(
        name='PlainBatchSampler', module=BatchSampler, force=True
    )
    yield
    for registry, name in [
        (DATASETS, 'Numbers'),
        (MODELS, 'TwoNorms'),
        (DATA_SAMPLERS, 'PlainBatchSampler'),
    ]:
        registry.module_dict.pop(name)


def build_runner(
    tmp_path, hook=None, by_epoch=False, lr=0.1, randomness=None, **loader
):
    loader = (
        dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            dataset=dict(type='Numbers', size=24),
        )
        | loader
    )
    if by_epoch:
        loader['sampler'] = dict(type='DefaultSampler', shuffle=True)
        train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=2)
    else:
        train_cfg = dict(by_epoch=False, max_iters=6, val_interval=4)
    cfg = dict(
        model=dict(type='TwoNorms'),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr, momentum=0.9)),
        default_hooks={} if hook is None else dict(precise_bn=hook),
        randomness=dict(seed=0) | (randomness or {}),
        experiment_name=tmp_path.name,
    )
    return Runner.from_cfg(cfg)


def literal_statistics(model, batches):
    """Means and variances by the definition, in float64."""
    model = deepcopy(model).double()
    layers = dict(first=[], second=[])
    images = torch.tensor([len(batch) for batch in batches]).double()
    for batch in batches:
        x = batch.double()
        layers['first'].append(x)
        mean, var = x.mean(0), x.var(0, unbiased=False)
        x = (x - mean) / (var + model.first.eps).sqrt()
        x = model.linear(x * model.first.weight + model.first.bias)
        layers['second'] += [x, 3 * x[:2] + 1]
    result = {}
    for name, values in layers.items():
        mean = torch.stack([v.mean(0) for v in values])
        second_moment = torch.stack([v.var(0) for v in values]) + mean**2
        # A layer that is called twice counts each call.
        shares = images.repeat_interleave(len(values) // len(batches))
        shares = (shares / shares.sum()).unsqueeze(1)
        mean = (shares * mean).sum(0)
        result[name] = mean, (shares * second_moment).sum(0) - mean**2
    return result


@pytest.mark.parametrize('batch_sampler', [False, True])
def test_statistics_are_those_of_the_definition(tmp_path, batch_sampler):
    loader = {}
    if batch_sampler:  # then `loader.batch_size` is None, as in mmdet
        loader['batch_sampler'] = dict(
            type='PlainBatchSampler', drop_last=False
        )
    hook = PreciseBNHook(num_images=18)
    runner = build_runner(tmp_path, **loader)
    runner.train()
    model = runner.model.train()
    model.first.running_var.fill_(float('nan'))  # after a bad step
    model.seen.clear()
    hook.recompute(runner)
    batches = [batch for batch, _ in model.seen]
    assert [len(batch) for batch in batches] == [4] * 5  # ceil(18 / 4)
    rows = {tuple(row.tolist()) for batch in batches for row in batch}
    assert len(rows) == 20  # no image twice
    assert not any(grad for _, grad in model.seen)
    with torch.no_grad():
        expected = literal_statistics(model, batches)
    for name, (mean, var) in expected.items():
        layer = getattr(model, name)
        torch.testing.assert_close(
            layer.running_mean.double(), mean, rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(
            layer.running_var.double(), var, rtol=1e-5, atol=1e-5
        )


def test_a_partial_batch_counts_by_its_images(tmp_path):
    runner = build_runner(
        tmp_path,
        sampler=dict(type='DefaultSampler', shuffle=True),
        dataset=dict(type='Numbers', size=22),
    )
    runner.train()
    model = runner.model.train()
    model.seen.clear()
    PreciseBNHook().recompute(runner)
    batches = [batch for batch, _ in model.seen]
    assert [len(batch) for batch in batches] == [4] * 5 + [2]
    with torch.no_grad():
        expected = literal_statistics(model, batches)
    # Of the first layer that is the mean of all images.
    torch.testing.assert_close(
        expected['first'][0].float(), Numbers(22).rows.mean(0)
    )
    for name, (mean, var) in expected.items():
        layer = getattr(model, name)
        torch.testing.assert_close(layer.running_mean.double(), mean)
        torch.testing.assert_close(layer.running_var.double(), var)


def test_processes_share_the_images_and_the_statistics(tmp_path):
    def recompute(rank):
        runner = build_runner(
            tmp_path / str(rank), randomness=dict(diff_rank_seed=True)
        )
        runner.train()
        model = runner.model.train()
        model.seen.clear()
        PreciseBNHook(num_images=18).recompute(runner)
        batches = [batch.tolist() for batch, _ in model.seen]
        norm = model.first
        return batches, norm.running_mean.tolist(), norm.running_var.tolist()

    found = two_processes(recompute, tmp_path)
    batches = [torch.tensor(batch) for each, *_ in found for batch in each]
    assert [len(batch) for batch in batches] == [4] * 6  # ceil(18 / 8) each
    rows = {tuple(row.tolist()) for batch in batches for row in batch}
    assert len(rows) == 24  # no image twice
    expected = literal_statistics(TwoNorms(), batches)['first']
    for _, *statistics in found:
        for value, right in zip(statistics, expected, strict=True):
            torch.testing.assert_close(torch.tensor(value), right.float())


def test_a_batch_of_any_process_counts_by_its_images(tmp_path):
    batches = [torch.randn(3, 3) + 1, 2 * torch.randn(5, 3)]

    def recompute(rank):
        norm = nn.BatchNorm1d(3)
        with fresh_statistics(norm, [norm]) as sums:
            sums[norm].num_images = len(batches[rank])
            norm(batches[rank])
        return norm.running_mean.tolist(), norm.running_var.tolist()

    expected = literal_statistics(TwoNorms(), batches)['first']
    for found in two_processes(recompute, tmp_path):
        for value, right in zip(found, expected, strict=True):
            torch.testing.assert_close(torch.tensor(value), right.float())


def test_at_most_the_whole_data_set(tmp_path):
    runner = build_runner(tmp_path)
    runner.train()
    runner.model.train().seen.clear()
    PreciseBNHook(num_images=10**6).recompute(runner)
    rows = torch.cat([batch for batch, _ in runner.model.seen])
    torch.testing.assert_close(
        rows.sort(0).values, Numbers(24).rows.sort(0).values
    )


def test_nothing_else_changes(tmp_path):
    runner = build_runner(
        tmp_path, dataset=dict(type='Numbers', size=24, augment=True)
    )
    runner.model.data_preprocessor = Remembering()
    runner.train()
    model = runner.model.train()
    model.linear.eval()
    before = deepcopy(model.state_dict())
    optimiser = deepcopy(runner.optim_wrapper.state_dict())
    modes = {name: m.training for name, m in model.named_modules()}
    momenta = [m.momentum for m in (model.first, model.second)]
    generators = (
        torch.get_rng_state(),
        np.random.get_state()[1].tolist(),
        random.getstate(),
    )
    num_batches = model.data_preprocessor.num_batches
    PreciseBNHook().recompute(runner)
    assert model.data_preprocessor.num_batches == num_batches > 0
    after = model.state_dict()
    changed = {
        name
        for name, value in after.items()
        if not torch.equal(value, before[name])
    }
    assert changed == {
        f'{layer}.running_{what}'
        for layer in ('first', 'second')
        for what in ('mean', 'var')
    }
    assert str(runner.optim_wrapper.state_dict()) == str(optimiser)
    assert {name: m.training for name, m in model.named_modules()} == modes
    assert [m.momentum for m in (model.first, model.second)] == momenta
    assert torch.equal(torch.get_rng_state(), generators[0])
    assert np.random.get_state()[1].tolist() == generators[1]
    assert random.getstate() == generators[2]
    assert not any(m._forward_hooks for m in model.modules())


def test_an_error_leaves_the_statistics(tmp_path):
    runner = build_runner(tmp_path)
    runner.train()
    model = runner.model.train()
    before = deepcopy(model.state_dict())
    handle = model.second.register_forward_pre_hook(lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        PreciseBNHook().recompute(runner)
    handle.remove()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert model.first.momentum == 0.3


@pytest.mark.parametrize(
    ('by_epoch', 'interval', 'expected'),
    [
        (False, None, [6]),
        (False, 3, [3, 6]),
        (True, None, [18]),
        (True, 1, [6, 12, 18]),
    ],
)
def test_when_it_runs(tmp_path, monkeypatch, by_epoch, interval, expected):
    iterations = []
    recompute = PreciseBNHook.recompute

    def record(self, runner):
        iterations.append(len(runner.model.seen) - 5 * len(iterations))
        recompute(self, runner)

    monkeypatch.setattr(PreciseBNHook, 'recompute', record)
    hook = dict(
        type='mmselfemd.PreciseBNHook', num_images=20, interval=interval
    )
    build_runner(tmp_path, hook, by_epoch).train()
    assert iterations == expected


def test_by_itself_it_follows_validation():
    hook = PreciseBNHook()
    validated = SimpleNamespace(_val_loop=object(), val_interval=4)
    assert hook._interval(validated) == 4
    assert PreciseBNHook(interval=3)._interval(validated) == 3
    assert hook._interval(SimpleNamespace(_val_loop=None)) == 0


def test_training_goes_on_as_without_it(tmp_path):
    """The stream of data and all generators are those of a plain run."""
    batches = []
    for name, hook in [
        ('with', dict(type='mmselfemd.PreciseBNHook', interval=1)),
        ('without', None),
    ]:
        runner = build_runner(
            tmp_path / name,
            hook,
            dataset=dict(type='Numbers', size=24, augment=True),
        )
        runner.train()
        batches.append([batch for batch, grad in runner.model.seen if grad])
    assert len(batches[0]) == 6
    for a, b in zip(*batches, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_the_checkpoint_holds_the_new_statistics(tmp_path):
    hook = dict(type='mmselfemd.PreciseBNHook')
    runner = build_runner(tmp_path, hook)
    runner.register_hook(
        dict(type='CheckpointHook', interval=4, by_epoch=False)
    )
    runner.train()
    saved = torch.load(tmp_path / 'iter_6.pth', weights_only=False)
    torch.testing.assert_close(
        saved['state_dict'], dict(runner.model.state_dict())
    )
    seen = torch.cat([b for b, grad in runner.model.seen[-6:] if not grad])
    assert len(seen) == 24
    torch.testing.assert_close(
        saved['state_dict']['first.running_mean'], seen.mean(0)
    )


@pytest.mark.parametrize('update_buffers', [False, True])
def test_averaged_weights_have_statistics_of_their_own(
    tmp_path, update_buffers
):
    """What EMAHook has validated and saved, as by mmdet's users."""
    runner = build_runner(tmp_path)
    average = EMAHook(momentum=0.02, update_buffers=update_buffers)
    runner.register_hook(average)
    runner.train()
    model, averaged = runner.model.train(), average.ema_model.module
    weight = model.linear.weight.detach().clone()
    assert not torch.allclose(weight, averaged.linear.weight)
    model.seen.clear()
    PreciseBNHook(num_images=18).recompute(runner)
    batches = [batch for batch, _ in model.seen]
    assert torch.equal(model.linear.weight, weight)
    for name, (mean, var) in literal_statistics(averaged, batches).items():
        found = getattr(averaged, name)
        torch.testing.assert_close(found.running_mean, mean.float())
        torch.testing.assert_close(found.running_var, var.float())
    average.before_val_epoch(runner)  # a validation sees the same
    mean, _ = literal_statistics(model, batches)['second']
    torch.testing.assert_close(model.second.running_mean, mean.float())


def test_bad_arguments():
    with pytest.raises(ValueError, match='num_images'):
        PreciseBNHook(num_images=0)
    with pytest.raises(ValueError, match='interval'):
        PreciseBNHook(interval=0)
