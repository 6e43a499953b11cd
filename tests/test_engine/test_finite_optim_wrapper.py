"""A step with a NaN leaves no trace, in mmengine's runner."""

import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.optim.optimizer import amp_optimizer_wrapper

from mmselfemd.engine.optim import NonFiniteStepsError
from mmselfemd.errors import UserError

sys.path.insert(0, str(Path(__file__).parent))
from toy_long_run import Numbers, Pair, Recorder, make_runner


def train(work_dir, **kwargs):
    recorder = Recorder()
    make_runner(work_dir, hooks=[recorder], **kwargs).train()
    return recorder


def is_finite(state):
    return all(value.isfinite().all() for value in state.values())


def assert_same(state, other):
    assert state.keys() == other.keys()
    for name, value in state.items():
        assert torch.equal(value, other[name]), name


def changed(state, other):
    """Which parts moved: 'query', 'key', 'momentum'."""
    return {
        name.split('.')[0].split()[0]
        for name, value in other.items()
        if name not in state or not torch.equal(value, state[name])
    }


@pytest.fixture
def amp_on_a_cpu(monkeypatch):
    """Let mmengine's AMP wrapper be built here, with a scaler that works."""
    for name, value in (
        ('is_cuda_available', lambda: True),
        ('GradScaler', partial(torch.amp.GradScaler, 'cpu')),
    ):
        monkeypatch.setattr(amp_optimizer_wrapper, name, value)
    return dict(type='FiniteAmpOptimWrapper', dtype='bfloat16')


@pytest.mark.parametrize('what', ['loss', 'gradient'])
def test_step_leaves_no_trace(tmp_path, logged, what):
    bad = {9: what}  # in the batch of images 8 to 11, iteration 2 from 0
    recorder = train(tmp_path / 'guarded', bad=bad)
    states = recorder.states
    assert_same(states[2], states[3])
    assert all(map(is_finite, states))
    for before in (0, 1, 3, 4, 5):
        assert {'query', 'key'} <= changed(states[before], states[before + 1])
    (line,) = [line for line in logged if 'Non-finite' in line]
    assert f'Non-finite {what} at iteration 3' in line
    assert line.endswith('8.jpg, 9.jpg, 10.jpg, 11.jpg')

    plain = train(
        tmp_path / 'plain',
        bad=bad,
        wrapper={'type': 'OptimWrapper'},
        checkpoint=dict(check_finite=False),
    )
    assert not is_finite(plain.states[3])  # else nothing would be shown


def test_finite_run_is_mmengines_to_the_bit(tmp_path):
    ours = train(tmp_path / 'a')
    theirs = train(tmp_path / 'b', wrapper=dict(type='OptimWrapper'))
    assert ours.losses == theirs.losses
    for state, other in zip(ours.states, theirs.states, strict=True):
        assert_same(state, other)


def test_accumulation_drops_the_whole_step(tmp_path, logged):
    recorder = train(
        tmp_path,
        iterations=9,
        bad={18: 'loss'},  # the second of the micro-batches 3, 4, 5
        wrapper=dict(accumulative_counts=3),
    )
    states = recorder.states
    assert_same(states[3], states[6])
    assert changed(states[6], states[9]) == {'query', 'key', 'momentum'}
    assert is_finite(states[9])
    (line,) = [line for line in logged if 'Non-finite' in line]
    assert line.endswith('16.jpg, 17.jpg, 18.jpg, 19.jpg')


def test_forwards_without_a_step_are_none_of_its_batches(tmp_path, logged):
    """As precise BN makes them, which may come between micro-batches."""

    class Forwards(Hook):
        def after_train_iter(self, runner, batch_idx, **kwargs):
            model, other = runner.model, Numbers(4)
            data = pseudo_collate([other[index] for index in range(4)])
            with torch.no_grad(), runner.optim_wrapper.optim_context(model):
                model._run_forward(
                    model.data_preprocessor(data, True), mode='loss'
                )

    make_runner(
        tmp_path,
        iterations=3,
        bad={6: 'loss'},  # the second of three micro-batches
        wrapper=dict(accumulative_counts=3),
        hooks=[Forwards()],
    ).train()
    (line,) = [line for line in logged if 'Non-finite' in line]
    assert line.endswith('4.jpg, 5.jpg, 6.jpg, 7.jpg')


def test_a_model_may_go_backward_and_step_by_itself(
    tmp_path, logged, monkeypatch
):
    """mmengine's own wrapper lets it: no loss passes by then."""

    def train_step(self, data, optim_wrapper):
        with optim_wrapper.optim_context(self):
            data = self.data_preprocessor(data, True)
            losses = self._run_forward(data, mode='loss')
        optim_wrapper.backward(losses['loss'])
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return losses

    usual = train(tmp_path / 'usual', bad={9: 'gradient'}).states
    monkeypatch.setattr(Pair, 'train_step', train_step)
    states = train(tmp_path / 'itself', bad={9: 'gradient'}).states
    assert_same(states[2], states[3])
    assert_same(states[-1], usual[-1])
    line, same = [line for line in logged if 'Non-finite' in line]
    assert line == same and line.endswith('8.jpg, 9.jpg, 10.jpg, 11.jpg')


def test_log_names_a_bounded_number_of_images(tmp_path, logged):
    train(
        tmp_path,
        iterations=3,
        bad={0: 'gradient'},
        wrapper=dict(accumulative_counts=3),
    )
    (line,) = [line for line in logged if 'Non-finite' in line]
    assert line.count('.jpg') == 8
    assert line.endswith('7.jpg and 4 more')


def test_run_stops_after_too_many_in_a_row(tmp_path):
    # Iterations 1 and 2, then 4, 5 and 6, counted from 0.
    bad = {4 * batch: 'loss' for batch in (1, 2, 4, 5, 6)}
    recorder = Recorder()
    runner = make_runner(
        tmp_path,
        iterations=9,
        bad=bad,
        wrapper=dict(max_skipped=3),
        hooks=[recorder],
    )
    with pytest.raises(NonFiniteStepsError, match='3 steps in a row') as info:
        runner.train()
    assert isinstance(info.value, UserError)
    assert runner.iter == 6
    assert f'The last checkpoint is {tmp_path / "iter_6.pth"}' in str(
        info.value
    )
    checkpoint = torch.load(tmp_path / 'iter_6.pth')
    assert is_finite(checkpoint['state_dict'])


def test_the_way_out_leads_out(tmp_path):
    """Learning rate and schedules are the checkpoint's, clipping is not."""
    make_runner(tmp_path, iterations=2).train()
    other = dict(
        optimizer=dict(type='SGD', lr=0.001), clip_grad=dict(max_norm=1e-9)
    )
    recorder = Recorder()
    runner = make_runner(
        tmp_path,
        iterations=4,
        resume=True,
        wrapper=other,
        hooks=[recorder],
        param_scheduler=[],
    )
    runner.train()
    assert runner.optim_wrapper.get_lr() == dict(lr=[0.05])
    first, _, last = recorder.states
    moved = [
        (last[name] - first[name]).abs().max()
        for name in ('query.0.weight', 'query.2.weight')
    ]
    momentum = max(
        value.abs().max()
        for name, value in first.items()
        if name.startswith('momentum')
    )
    # What is left of the momentum, and nothing of a new gradient.
    assert max(moved) <= 0.05 * (0.9 + 0.9**2) * momentum + 1e-6

    start = make_runner(
        tmp_path / 'anew',
        iterations=1,
        load_from=str(tmp_path / 'iter_2.pth'),
        wrapper=other,
    )
    start.train()
    assert start.optim_wrapper.get_lr() == dict(lr=[0.001])


def test_run_that_never_saved_says_so(tmp_path):
    with pytest.raises(NonFiniteStepsError, match='No checkpoint was saved'):
        train(tmp_path, bad={0: 'loss'}, wrapper=dict(max_skipped=1))


def test_overflow_of_the_scaler_is_not_counted(tmp_path, logged, amp_on_a_cpu):
    # A gradient of 1e36: finite by itself, not times the scale of 65536.
    recorder = train(
        tmp_path, bad={4: 'huge'}, wrapper=amp_on_a_cpu | dict(max_skipped=1)
    )
    states = recorder.states
    # BN saw a finite batch; the weights and the key stayed.
    assert changed(states[1], states[2]) == {'query', 'key'}
    for name, value in states[2].items():
        if 'running' not in name and 'num_batches' not in name:
            assert torch.equal(value, states[1][name]), name
    assert not [line for line in logged if 'Non-finite' in line]
    assert changed(states[2], states[3]) == {'query', 'key', 'momentum'}


def test_nan_is_counted_with_a_scaler(tmp_path, logged, amp_on_a_cpu):
    recorder = Recorder()
    runner = make_runner(
        tmp_path, bad={4: 'loss'}, wrapper=amp_on_a_cpu, hooks=[recorder]
    )
    runner.train()
    assert_same(recorder.states[1], recorder.states[2])
    assert all(map(is_finite, recorder.states))
    assert len([line for line in logged if 'Non-finite loss' in line]) == 1
    # The scaler is not made to pay for it.
    assert runner.optim_wrapper.loss_scaler.get_scale() == 65536


@pytest.mark.parametrize('loss_scale', [dict(init_scale=1.0), 512.0])
def test_gradient_that_no_lower_scale_mends_is_counted(
    tmp_path, logged, amp_on_a_cpu, loss_scale
):
    recorder = train(
        tmp_path,
        bad={4: 'gradient'},
        wrapper=amp_on_a_cpu | dict(loss_scale=loss_scale),
    )
    assert_same(recorder.states[1], recorder.states[2])
    (line,) = [line for line in logged if 'Non-finite' in line]
    assert 'Non-finite gradient at iteration 2' in line


def test_max_skipped_is_positive(tmp_path):
    with pytest.raises(ValueError, match='max_skipped must be at least 1'):
        train(tmp_path, wrapper=dict(max_skipped=0))
