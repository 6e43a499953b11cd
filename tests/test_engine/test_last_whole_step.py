"""A run that fails leaves a checkpoint of its last whole step."""

import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.hooks import EMAHook, Hook

from mmselfemd.engine.hooks import PreciseBNHook

sys.path.insert(0, str(Path(__file__).parent))
from toy_long_run import Numbers, Recorder, make_runner

LENGTHS = dict(epoch=dict(epochs=3), iteration=dict(iterations=18))


class Failure(RuntimeError):
    """What nobody expects."""


class FailHook(Hook):
    """Fails in an iteration, at a place of it."""

    priority = 'VERY_LOW'

    def __init__(self, iteration: int, place: str) -> None:
        self.iteration, self.place = iteration, place

    def before_train(self, runner) -> None:
        if self.place == 'forward':  # batch norm has seen the batch by then
            runner.model.query[2].register_forward_hook(
                lambda *args: self.fail(runner, 'forward')
            )
        if self.place == 'step':
            runner.optim_wrapper.optimizer.register_step_post_hook(
                lambda *args: self.fail(runner, 'step')
            )

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.fail(runner, 'before')

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        self.fail(runner, 'after')

    def after_train_epoch(self, runner) -> None:
        self.fail(runner, 'epoch')

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.fail(runner, 'validation')

    def fail(self, runner, place) -> None:
        if place == self.place and runner.iter == self.iteration:
            raise Failure(place)


def run(work_dir, loop, accumulation, *hooks, **kwargs):
    """Train; returns the state at the end, and the losses."""
    recorder = Recorder()
    runner = make_runner(
        work_dir,
        wrapper=dict(accumulative_counts=accumulation),
        checkpoint=dict(interval=100),
        default_hooks=dict(preemption=dict(type='PreemptionHook')),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=17),
            dict(type='MultiStepLR', by_epoch=loop == 'epoch', milestones=[2]),
        ],
        hooks=[*hooks, recorder],
        loop='ReproducibleEpochBasedTrainLoop',
        size=24,  # an epoch of 6 batches
        **LENGTHS[loop],
        **kwargs,
    )
    try:
        runner.train()
    finally:
        run.losses = recorder.losses
        run.logged = runner.message_hub.get_scalar('train/loss').data[0]
    state = recorder.states[-1] | {
        f'lr {number}': torch.tensor(group['lr'])
        for number, group in enumerate(
            runner.optim_wrapper.optimizer.param_groups
        )
    }
    return state, recorder.losses


@pytest.mark.parametrize('loop', LENGTHS)
@pytest.mark.parametrize(
    ('accumulation', 'iteration', 'place', 'whole'),
    [
        (1, 8, 'before', 8),
        (1, 8, 'forward', 8),
        (2, 9, 'before', 8),  # in the middle of a step
        (2, 9, 'forward', 8),
        (2, 8, 'after', 8),  # after a batch that ends no step
        (3, 6, 'forward', 6),  # at the start of an epoch
    ],
)
def test_resume_is_as_if_nothing_had_been(
    tmp_path, logged, loop, accumulation, iteration, place, whole
):
    expected, losses = run(tmp_path / 'straight', loop, accumulation)
    averaged = [*run.logged]
    failed = tmp_path / 'failed'
    with pytest.raises(Failure):
        run(failed, loop, accumulation, FailHook(iteration, place))
    assert [path.name for path in failed.glob('*.pth')] == [
        f'iter_{whole}.pth'
    ]
    (line,) = [line for line in logged if line.startswith('The run failed')]
    assert f'iteration {whole}, is saved' in line
    state, resumed = run(failed, loop, accumulation, resume=True)
    assert resumed == losses[whole:]
    assert [*run.logged] == averaged
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


def test_the_end_of_an_epoch_is_made_up_for(tmp_path):
    """Schedules by epoch have moved when a later hook fails."""
    expected, losses = run(tmp_path / 'straight', 'epoch', 1)
    failed = tmp_path / 'failed'
    with pytest.raises(Failure):
        # `runner.iter` is one further there.
        run(failed, 'epoch', 1, FailHook(12, 'epoch'))
    assert [path.name for path in failed.glob('*.pth')] == ['iter_12.pth']
    state, resumed = run(failed, 'epoch', 1, resume=True)
    assert resumed == losses[12:]
    for name, value in expected.items():
        assert torch.equal(state[name], value), name
    # It is of no more use, as after a signal.
    assert [path.name for path in failed.glob('*.pth')] == ['epoch_3.pth']


@pytest.mark.parametrize(('hooks', 'saved'), [([], 1), ([EMAHook()], 0)])
def test_averaged_weights_are_not_saved_as_the_run_s(tmp_path, hooks, saved):
    """EMAHook has its weights in the model while that is validated."""
    with pytest.raises(Failure):
        run(
            tmp_path,
            'epoch',
            1,
            FailHook(6, 'validation'),
            *hooks,
            val_dataloader=dict(
                dataset=Numbers(4),
                batch_size=4,
                sampler=dict(type='DefaultSampler', shuffle=False),
            ),
            val_cfg=dict(),
            val_evaluator=[],
        )
    assert len([*tmp_path.glob('iter_6.pth')]) == saved


@pytest.mark.parametrize(('iteration', 'saved'), [(8, 1), (9, 0)])
def test_an_average_of_half_a_step_is_not_saved(tmp_path, iteration, saved):
    """EMAHook averages after each batch, with a step or without."""
    with pytest.raises(Failure):
        run(tmp_path, 'epoch', 2, FailHook(iteration, 'before'), EMAHook())
    assert len([*tmp_path.glob('iter_8.pth')]) == saved


@pytest.mark.parametrize('place', ['step', 'after'])
@pytest.mark.parametrize('loop', LENGTHS)
def test_half_a_step_is_never_saved(tmp_path, loop, place):
    """The optimiser has stepped, and the key encoder or a hook has not."""
    with pytest.raises(Failure):
        run(tmp_path, loop, 1, FailHook(8, place))
    assert not list(tmp_path.glob('*.pth'))


def test_before_the_first_step_there_is_nothing_to_save(tmp_path):
    with pytest.raises(Failure):
        run(tmp_path, 'epoch', 2, FailHook(1, 'forward'))
    assert not list(tmp_path.glob('*.pth'))


class SpoilHook(Hook):
    """Puts a NaN into a weight after a step."""

    priority = 'LOWEST'

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        if runner.iter == 7:
            runner.model.key[0].bias.data.fill_(float('nan'))


def test_what_is_not_finite_is_not_saved(tmp_path, logged):
    with pytest.raises(Failure):
        run(tmp_path, 'epoch', 1, SpoilHook(), FailHook(8, 'before'))
    assert not list(tmp_path.glob('*.pth'))
    assert [line for line in logged if 'could not be saved: NaN' in line]


class Statistics(Hook):
    """Keeps the model's state at the end of an epoch."""

    priority = 'LOWEST'

    def after_train_epoch(self, runner) -> None:
        self.state = deepcopy(runner.model.state_dict())


def test_recomputed_statistics_are_not_put_back(tmp_path):
    """Precise BN passes batches forward after the step: that begins none."""
    statistics = Statistics()
    precise_bn = PreciseBNHook(num_images=8, interval=1)
    cfg = dict(
        batch_size=4, sampler=dict(type='DefaultSampler', shuffle=False)
    )
    with pytest.raises(Failure):
        run(
            tmp_path,
            'epoch',
            1,
            precise_bn,
            statistics,
            FailHook(12, 'before'),
            cfg=dict(train_dataloader=cfg),
        )
    saved = torch.load(tmp_path / 'iter_12.pth')['state_dict']
    for name, value in statistics.state.items():
        assert torch.equal(saved[name], value), name
