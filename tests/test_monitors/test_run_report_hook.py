"""What a run says of itself at the start."""

import re
import shutil
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmselfemd.monitors import RunReportHook
from mmselfemd.monitors.run_report_hook import _checkpoints_to_come

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_engine'))
from toy_long_run import Numbers, make_runner

USAGE = namedtuple('USAGE', 'total used free')


def train(work_dir, num_steps=4, num_warm_up=1, default_hooks=None, **kwargs):
    report = dict(
        type='RunReportHook', num_steps=num_steps, num_warm_up=num_warm_up
    )
    runner = make_runner(
        work_dir,
        default_hooks=dict(report=report) | (default_hooks or {}),
        **kwargs,
    )
    runner.logger.setLevel('INFO')
    runner.train()
    return runner


def find(logged, start):
    (line,) = [line for line in logged if line.startswith(start)]
    return line


def test_one_line_each(tmp_path, logged):
    train(tmp_path, epochs=2, size=16, wrapper=dict(accumulative_counts=2))
    assert find(logged, 'Images: ') == 'Images: 16.'
    assert find(logged, 'Batch: ').startswith(
        'Batch: 8 images a step of the optimiser = 4 x 1 process x 2 '
        'accumulated, on '
    )
    assert find(logged, 'Steps: ') == (
        'Steps: 4 of the optimiser in 8 iterations, 2 epochs of 4 iterations.'
    )
    assert find(logged, 'Learning rate: ') == 'Learning rate: 0.05.'
    hours = find(logged, 'Time: ')
    assert re.match(
        r'Time: 0\.0 hours for the remaining 3 iterations, at 0\.\d+ s', hours
    )


def test_hours_are_those_of_the_first_steps(tmp_path, logged, monkeypatch):
    clock = iter([100.0, 100.0 + 4 * 1440.0])  # after 1 iteration, after 5
    hook = sys.modules[RunReportHook.__module__]
    monkeypatch.setattr(hook.time, 'perf_counter', lambda: next(clock))
    train(tmp_path, iterations=10, num_steps=4)
    assert find(logged, 'Time: ').startswith(
        'Time: 2.0 hours for the remaining 5 iterations, at 1440.000 s each'
    )


def test_hours_are_without_the_validations(tmp_path, logged, monkeypatch):
    # After iteration 1, around the validation after iteration 4, after 5.
    clock = iter([100.0, 400.0, 900.0, 1400.0])
    hook = sys.modules[RunReportHook.__module__]
    monkeypatch.setattr(hook.time, 'perf_counter', lambda: next(clock, 0.0))
    nothing = dict(
        dataset=Numbers(0),
        batch_size=1,
        sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    )
    validation = dict(val_dataloader=nothing, val_cfg=dict(), val_evaluator=[])
    train(tmp_path, epochs=2, size=16, **validation)
    assert 'at 200.000 s each' in find(logged, 'Time: ')


def test_resumed_run_counts_from_where_it_is(tmp_path, logged):
    train(tmp_path, iterations=4)
    logged.clear()
    train(tmp_path, iterations=12, resume=True)
    assert find(logged, 'Steps: ') == (
        'Steps: 12 of the optimiser; 4 iterations are done.'
    )
    assert 'the remaining 3 iterations' in find(logged, 'Time: ')


def test_disk_is_that_of_the_files(tmp_path, logged, monkeypatch):
    monkeypatch.setattr(
        shutil, 'disk_usage', lambda path: USAGE(10**12, 0, 10**6)
    )
    hook = sys.modules[RunReportHook.__module__]
    monkeypatch.setattr(hook, 'GIGABYTE', 1)
    train(tmp_path, iterations=10, checkpoint=dict(interval=3))
    line = find(logged, 'Disk: ')
    (size,) = re.search(r'at a time, ([\d.]+) GB', line).groups()
    assert float(size) == (tmp_path / 'iter_3.pth').stat().st_size
    assert not [line for line in logged if line.startswith('The disk of')]
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: USAGE(9, 9, 1))
    train(tmp_path / 'full', iterations=10)
    assert 'max_keep_ckpts=1' in find(logged, 'The disk of')


@pytest.mark.parametrize(
    ('checkpoint', 'count'),
    [
        # One is kept by then, one more is written before the oldest goes.
        (dict(interval=2, max_keep_ckpts=3), 3),
        (dict(interval=2), 9),  # all: iterations 4 to 20
        (dict(interval=15, max_keep_ckpts=3), 1),
    ],
)
def test_number_of_checkpoints(tmp_path, logged, checkpoint, count):
    train(tmp_path, iterations=20, size=128, checkpoint=checkpoint)
    assert f'at most {count} at a time' in find(logged, 'Disk: ')


@pytest.mark.parametrize('interval', [0, -1])
@pytest.mark.parametrize('save_last', [True, False])
def test_no_interval_saves_at_the_end_alone(
    tmp_path, logged, interval, save_last
):
    checkpoint = dict(interval=interval, save_last=save_last)
    train(tmp_path, iterations=8, checkpoint=checkpoint)
    saved = [path.name for path in tmp_path.glob('*.pth')]
    assert saved == ['iter_8.pth'] * save_last
    assert not [line for line in logged if line.startswith('Disk: ')]


def test_with_no_interval_the_last_one_is_to_come(tmp_path, logged):
    """Where something else, a signal say, has saved before the end."""
    hook = SimpleNamespace(
        by_epoch=False, interval=0, max_keep_ckpts=3, save_best=None
    )
    runner = SimpleNamespace(max_iters=8, val_loop=None)
    counts = [_checkpoints_to_come(runner, hook, done) for done in (4, 8)]
    assert counts == [1, 0]
    hook.save_best = ['matching/gain']  # and nothing is validated
    assert _checkpoints_to_come(runner, hook, 4) == 1
    runner.val_loop = object()
    assert _checkpoints_to_come(runner, hook, 4) == 2


def test_rate_of_another_batch(tmp_path, logged):
    """The line names the rate that --auto-scale-lr would set."""
    options = dict(wrapper=dict(accumulative_counts=2))
    train(tmp_path, auto_scale_lr=dict(base_batch_size=16), **options)
    line = find(logged, 'The learning rate')
    assert line == (
        'The learning rate 0.05 is meant for 16 images a step, and this run '
        'takes 8: --auto-scale-lr makes it 0.025.'
    )
    logged.clear()
    scaled = dict(base_batch_size=16, enable=True)
    train(tmp_path / 'scaled', auto_scale_lr=scaled, **options)
    assert not [line for line in logged if line.startswith('The learning')]
    logged.clear()
    train(tmp_path / 'fits', auto_scale_lr=dict(base_batch_size=8), **options)
    assert not [line for line in logged if line.startswith('The learning')]


def test_numbers_of_steps_are_positive():
    with pytest.raises(ValueError, match='must be at least 1'):
        RunReportHook(num_steps=0)
