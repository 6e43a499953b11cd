"""Eq. 1 in mmengine's runner."""

from itertools import pairwise
from math import cos, pi

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmselfemd.engine import MomentumUpdateHook
from mmselfemd.registry import OPTIM_WRAPPERS


class Averaged(BaseModel):
    """The smallest model with a query and a key."""

    def __init__(self, init_cfg=None):
        super().__init__(init_cfg=init_cfg)
        self.query = nn.Linear(2, 1)
        self.key = nn.Linear(2, 1).requires_grad_(False)
        self.history = []

    def init_weights(self):
        super().init_weights()
        if not self.init_cfg:
            nn.init.constant_(self.query.weight, 3.0)

    def forward(self, inputs, mode='tensor'):
        if not self.history:
            self.first = [
                p.clone()
                for p in (*self.query.parameters(), *self.key.parameters())
            ]
        self.history.append(self.key.weight.clone())
        return dict(loss=self.query(inputs).square().mean())

    def reset_key(self):
        self.key.load_state_dict(self.query.state_dict())

    def update_key(self, momentum):
        with torch.no_grad():
            for key, query in zip(
                self.key.parameters(), self.query.parameters(), strict=True
            ):
                key.lerp_(query, 1 - momentum)


class Numbers(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.tensor([index / 8, 1.0]))


@OPTIM_WRAPPERS.register_module(force=True)
class OverflowingOptimWrapper(OptimWrapper):
    """Scales gradients on a CPU, and overflows at given steps."""

    def __init__(self, overflow_at=(), **kwargs):
        super().__init__(**kwargs)
        self.scaler = torch.amp.GradScaler('cpu')
        self.overflow_at, self.calls = set(overflow_at), 0

    def backward(self, loss, **kwargs):
        self.scaler.scale(loss).backward()
        self._inner_count += 1

    def step(self, **kwargs):
        if self.calls in self.overflow_at:
            next(
                p
                for group in self.optimizer.param_groups
                for p in group['params']
                if p.grad is not None
            ).grad.fill_(float('inf'))
        self.calls += 1
        self.scaler.step(self.optimizer)
        self.scaler.update()


def runner(tmp_path, model=None, max_iters=6, optim_wrapper=None, **kwargs):
    return Runner(
        model=model or Averaged(),
        work_dir=str(tmp_path),
        train_dataloader=dict(
            dataset=Numbers(),
            batch_size=4,
            num_workers=0,
            collate_fn=dict(type='default_collate'),
            sampler=dict(type='InfiniteSampler', shuffle=False),
        ),
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1))
        | (optim_wrapper or {}),
        default_hooks=dict(
            checkpoint=dict(
                type='mmselfemd.SafeCheckpointHook', by_epoch=False, interval=2
            ),
            momentum_update=dict(
                type='mmselfemd.MomentumUpdateHook', base_momentum=0.5
            ),
        ),
        default_scope='mmselfemd',
        experiment_name=tmp_path.name,
        log_level='ERROR',
        **kwargs,
    )


def moved(model):
    """In which iterations the key moved, from 0; the last is not seen."""
    return [
        index
        for index, (before, after) in enumerate(pairwise(model.history))
        if not torch.equal(before, after)
    ]


def test_schedule_is_a_cosine_from_base_to_end():
    hook = MomentumUpdateHook(0.99, 1.0)
    assert hook.momentum(0, 800) == pytest.approx(0.99)
    assert hook.momentum(400, 800) == pytest.approx(0.995)
    assert hook.momentum(800, 800) == pytest.approx(1.0)
    for k in range(800):
        expected = 1 - (1 - 0.99) * (cos(pi * k / 800) + 1) / 2
        assert hook.momentum(k, 800) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match=r'base_momentum must be in \[0, 1\]'):
        MomentumUpdateHook(1.5)


class Noting(Averaged):
    """Notes the momentum of each move of the key."""

    def __init__(self):
        super().__init__()
        self.momenta = []

    def update_key(self, momentum):
        self.momenta.append(momentum)
        super().update_key(momentum)


@pytest.mark.parametrize('counts, steps', [(1, range(9)), (3, (2, 5, 8))])
def test_each_step_moves_the_key_by_the_schedule(tmp_path, counts, steps):
    model = Noting()
    wrapper = dict(accumulative_counts=counts)
    runner(tmp_path, model, max_iters=9, optim_wrapper=wrapper).train()
    assert model.momenta == pytest.approx(
        [1 - (1 - 0.5) * (cos(pi * k / 9) + 1) / 2 for k in steps]
    )


def assert_key_was_query(model, weight):
    query_weight, query_bias, key_weight, key_bias = model.first
    assert torch.equal(query_weight, torch.tensor(weight))
    assert torch.equal(key_weight, query_weight)
    assert torch.equal(key_bias, query_bias)


def test_key_equals_query_at_the_first_step(tmp_path):
    """From init_weights, from init_cfg and from load_from."""
    initialised = Averaged()
    runner(tmp_path / 'a', initialised).train()
    assert_key_was_query(initialised, [[3.0, 3.0]])

    state = Averaged().state_dict()
    state['query.weight'] = torch.tensor([[5.0, 6.0]])
    torch.save(dict(state_dict=state), tmp_path / 'weights.pth')
    checkpoint = str(tmp_path / 'weights.pth')

    pretrained = Averaged(dict(type='Pretrained', checkpoint=checkpoint))
    runner(tmp_path / 'b', pretrained).train()
    assert_key_was_query(pretrained, [[5.0, 6.0]])

    loaded = Averaged()
    runner(tmp_path / 'c', loaded, load_from=checkpoint).train()
    assert_key_was_query(loaded, [[5.0, 6.0]])


def test_resume_goes_on_with_the_key_as_saved(tmp_path):
    straight = Averaged()
    runner(tmp_path, straight).train()
    checkpoint = torch.load(tmp_path / 'iter_4.pth')
    for name, value in checkpoint['state_dict'].items():
        assert value.isfinite().all(), name

    resumed = Averaged()
    again = runner(
        tmp_path, resumed, resume=True, load_from=str(tmp_path / 'iter_4.pth')
    )
    again.train()
    key_weight = resumed.first[2]
    assert torch.equal(key_weight, checkpoint['state_dict']['key.weight'])
    assert not torch.equal(key_weight, resumed.first[0])
    assert torch.equal(resumed.key.weight, straight.key.weight)


def test_key_moves_once_a_step_under_accumulation(tmp_path):
    model = Averaged()
    runner(
        tmp_path, model, max_iters=9, optim_wrapper=dict(accumulative_counts=3)
    ).train()
    assert moved(model) == [2, 5]


@pytest.mark.parametrize(
    'optimizer',
    [
        dict(type='SGD', lr=0.1),
        dict(type='SGD', lr=0.1, fused=True),
        dict(type='AdamW', lr=0.1, fused=True),
    ],
)
def test_key_stays_when_a_scaler_skips_the_step(tmp_path, optimizer):
    model = Averaged()
    runner(
        tmp_path,
        model,
        max_iters=7,
        optim_wrapper=dict(
            type='OverflowingOptimWrapper',
            overflow_at=(1, 3),
            optimizer=optimizer,
        ),
    ).train()
    assert moved(model) == [0, 2, 4, 5]


class Plain(BaseModel):
    """A model without a key."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        return dict(loss=self.query(inputs).square().mean())


def test_a_model_without_a_key_is_refused(tmp_path):
    with pytest.raises(TypeError, match='needs a model with a key encoder'):
        runner(tmp_path, Plain()).train()


class InTurns(Averaged):
    """Steps the one optimiser, then the other; every third time neither."""

    def __init__(self):
        super().__init__()
        self.other = nn.Linear(2, 1)

    def forward(self, inputs, mode='tensor'):
        loss = super().forward(inputs)['loss']
        return dict(loss=loss + self.other(inputs).square().mean())

    def train_step(self, data, optim_wrapper):
        losses = self(data['inputs'], 'loss')
        if name := (None, 'query', 'other')[len(self.history) % 3]:
            optim_wrapper[name].update_params(losses['loss'])
        return losses


def test_of_several_optimisers_any_step_counts(tmp_path):
    model = InTurns()
    parts = ((name, getattr(model, name)) for name in ('query', 'other'))
    wrappers = {
        name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=0.1))
        for name, part in parts
    }
    trained = runner(tmp_path, model)
    trained.optim_wrapper = OptimWrapperDict(**wrappers)
    trained.train()
    moved = [not torch.equal(a, b) for a, b in pairwise(model.history)]
    assert moved == [True, True, False, True, True]
