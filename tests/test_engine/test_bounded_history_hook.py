"""BoundedHistoryHook: the log of mmengine, from histories that do not grow."""

import os
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook, iter_timer_hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

from mmselfemd.engine.hooks import BoundedHistoryHook
from mmselfemd.errors import UserValueError

NUM_TRAIN, NUM_VAL = 14, 5  # batches
CUSTOM = [
    dict(data_src='loss', log_name='min', method_name='min', window_size=4),
    dict(data_src='loss_b', method_name='max', window_size='global'),
    dict(data_src='lr', log_name='mean_lr', method_name='mean', window_size=9),
]
BY_EPOCH = [
    dict(data_src='grad_norm', method_name='current'),
    dict(data_src='loss', method_name='mean', window_size='epoch'),
    dict(data_src='time', method_name='max', window_size='epoch'),
]


class Noise(BaseModel):
    """A weight, losses that no one can foresee, and a share."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x, mode='tensor'):
        if mode != 'loss':
            return [x]
        a, b = torch.rand(2)
        share = torch.rand(1)
        return dict(loss=a * self.weight, loss_b=b * self.weight, share=share)


class Score(BaseMetric):
    """Scores at random."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = np.random.default_rng(0)

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict:
        return dict(acc=self.generator.random(), loss=self.generator.random())


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Each look at the clock gives another time, the same in each run."""

    def start() -> None:
        ticks = count()
        clock = SimpleNamespace(time=lambda: next(ticks) ** 1.5)
        monkeypatch.setattr(iter_timer_hook, 'time', clock)

    start()
    return start


def loader(length: int) -> dict:
    return dict(
        dataset=[torch.ones(1)] * length,
        batch_size=1,
        num_workers=0,
        collate_fn=lambda batch: dict(x=torch.stack(batch)),
        sampler=dict(type='DefaultSampler', shuffle=False),
    )


def make_runner(
    work_dir: Path,
    end: int = 4,
    by_epoch: bool = True,
    hook: dict | None = None,
    log: dict | None = None,
    hooks: tuple[Hook, ...] = (),
    **kwargs,
) -> Runner:
    """A run of 14 iterations an epoch and 5 a validation."""
    interval = 1 if by_epoch else NUM_TRAIN
    default_hooks = dict(
        logger=dict(
            type='LoggerHook', interval=2, log_metric_by_epoch=by_epoch
        ),
        checkpoint=dict(
            type='mmselfemd.SafeCheckpointHook',
            by_epoch=by_epoch,
            interval=interval,
        ),
    )
    if hook is not None:
        default_hooks['bounded'] = dict(
            type='mmselfemd.BoundedHistoryHook', **hook
        )
    return Runner(
        model=Noise(),
        work_dir=str(work_dir),
        train_dataloader=loader(NUM_TRAIN),
        train_cfg=dict(by_epoch=True, max_epochs=end, val_interval=interval)
        if by_epoch
        else dict(
            type='mmselfemd.ReproducibleIterBasedTrainLoop',
            max_iters=end,
            val_interval=interval,
        ),
        val_dataloader=loader(NUM_VAL),
        val_cfg=dict(),
        val_evaluator=[Score()],
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=9)
        ),
        param_scheduler=dict(type='ExponentialLR', gamma=0.9, by_epoch=False),
        default_hooks=default_hooks,
        custom_hooks=list(hooks),
        log_processor=dict(window_size=3, by_epoch=by_epoch) | (log or {}),
        randomness=dict(seed=0),
        experiment_name=f'{work_dir.name}-{os.urandom(4).hex()}',
        **kwargs,
    )


def curves(work_dir: Path) -> list[str]:
    """What is in the newest file of the curves."""
    paths = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return paths[-1].read_text().splitlines()


def lengths(runner: Runner) -> dict[str, int]:
    return {
        name: len(buffer.data[0])
        for name, buffer in runner.message_hub.log_scalars.items()
    }


@pytest.mark.parametrize(
    'by_epoch, log',
    [
        (True, dict()),
        (True, dict(window_size=20)),
        (True, dict(custom_cfg=CUSTOM + BY_EPOCH[::2])),
        (True, dict(custom_cfg=BY_EPOCH, log_with_hierarchy=True)),
        (False, dict(custom_cfg=CUSTOM, mean_pattern='^(train/)?share')),
        (False, dict(custom_cfg=CUSTOM, log_with_hierarchy=True)),
    ],
)
def test_log_and_curves_are_mmengines(tmp_path, logged, clock, by_epoch, log):
    end = 4 if by_epoch else 4 * NUM_TRAIN
    found = []
    for name, hook in (('whole', None), ('bounded', dict())):
        logged.clear()
        clock()
        runner = make_runner(tmp_path / name, end, by_epoch, hook, log)
        runner.train()
        lines = [line for line in logged if line.startswith(('Epo', 'Iter('))]
        found.append((lines, curves(tmp_path / name)))
    assert found[0] == found[1]
    assert len(found[0][0]) > 4 * (NUM_TRAIN + NUM_VAL) // 2
    assert len(found[0][1]) == 4 * (NUM_TRAIN // 2 + 1)
    assert lengths(runner)['train/share'] < NUM_TRAIN


def test_history_has_what_the_log_reads(tmp_path):
    log = dict(custom_cfg=CUSTOM)
    found = []
    for epochs in (4, 8):
        runner = make_runner(
            tmp_path / f'{epochs}', epochs, hook=dict(), log=log
        )
        runner.train()
        found.append(lengths(runner))
    grown = {name for name in found[0] if found[0][name] != found[1][name]}
    assert grown == {'train/loss_b'}  # 'global'
    del found[0]['train/loss_b']
    assert found[0] == {
        'train/lr': 9,
        'train/data_time': 3,
        'train/time': 3,
        'train/grad_norm': 3,
        'train/loss': 4,
        'train/share': 1,
        'val/data_time': NUM_VAL + 1,
        'val/time': NUM_VAL + 1,
        'val/acc': 1,
        'val/loss': 4,
    }


def test_checkpoints_do_not_grow(tmp_path):
    make_runner(tmp_path, 20, hook=dict()).train()
    # The second is the first after a validation.
    sizes = [
        (tmp_path / f'epoch_{epoch}.pth').stat().st_size for epoch in (2, 20)
    ]
    assert abs(sizes[1] - sizes[0]) < 1000


def test_global_is_warned_of(tmp_path, logged):
    log = dict(custom_cfg=CUSTOM)
    make_runner(tmp_path, 1, hook=dict(), log=log).train()
    (line,) = (line for line in logged if "'global'" in line)
    assert 'train/loss_b' in line


def test_a_hook_may_ask_for_more(tmp_path):

    class MeanOfSix(Hook):
        def after_train_iter(
            self, runner, batch_idx, data_batch=None, outputs=None
        ) -> None:
            scalar = runner.message_hub.get_scalar
            found.append(scalar('train/share').mean(6))

    both = []
    for hook in (None, dict(min_length=6)):
        found = []
        make_runner(
            tmp_path / f'{hook}', 2, hook=hook, hooks=[MeanOfSix()]
        ).train()
        both.append(found)
    assert both[0] == both[1] and len(found) == 2 * NUM_TRAIN


def test_no_length_is_refused():
    with pytest.raises(UserValueError, match='min_length must be at least 1'):
        BoundedHistoryHook(min_length=0)


# ---- Resume.


@pytest.mark.parametrize('by_epoch', [True, False])
def test_whole_history_of_a_checkpoint_is_cut(tmp_path, clock, by_epoch):
    """The rest of the curves is that of a run that keeps it all."""
    first, end = (2, 4) if by_epoch else (2 * NUM_TRAIN, 4 * NUM_TRAIN)
    log = dict(custom_cfg=CUSTOM)
    found = []
    for name, hook in (('whole', None), ('bounded', dict())):
        clock()
        # Before this hook was there.
        make_runner(tmp_path / name, first, by_epoch, None, log).train()
        clock()
        runner = make_runner(
            tmp_path / name, end, by_epoch, hook, log, resume=True
        )
        runner.train()
        # In the same second the folder of the log is the same.
        found.append(curves(tmp_path / name)[-2 * (NUM_TRAIN // 2 + 1) :])
    assert found[0] == found[1]
    kept = lengths(runner)
    assert kept['train/loss_b'] == 4 * NUM_TRAIN
    assert kept['train/loss'] == 4 and kept['val/time'] == NUM_VAL + 1


def test_mmengines_own_buffers_are_cut_before_the_first_iteration(tmp_path):
    seen = []

    class Look(Hook):
        def before_train_epoch(self, runner):
            seen.append(lengths(runner))

    runner = make_runner(tmp_path, 1, hook=dict(), hooks=[Look()])
    history = np.arange(1000.0)
    runner.message_hub.load_state_dict(
        dict(
            log_scalars={'train/loss': HistoryBuffer(history, history + 1)},
            runtime_info={},
            resumed_keys={'train/loss': True},
        )
    )
    runner.train()
    assert seen == [{'train/loss': 3}]


def test_longer_windows_after_a_resume(tmp_path):
    """What was cut is gone; from there on the history grows to the new end."""
    make_runner(tmp_path, 1, hook=dict()).train()
    for epochs, hook, expected in (
        (2, dict(), 8),
        (3, None, 8 + NUM_TRAIN),  # mmengine alone
    ):
        log = dict(window_size=8)
        runner = make_runner(tmp_path, epochs, hook=hook, log=log, resume=True)
        runner.train()
        assert lengths(runner)['train/loss'] == expected
