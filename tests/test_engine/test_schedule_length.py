"""Schedules that are longer or shorter than the run."""

import re
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

from mmselfemd.engine.schedule_length import drop_late_schedules

sys.path.insert(0, str(Path(__file__).parent))
from toy_long_run import make_runner

WARM_UP = dict(type='LinearLR', start_factor=0.5, by_epoch=False, end=2)
STEPS = dict(type='MultiStepLR', by_epoch=False, end=12, milestones=[8, 10])
COSINE = dict(
    type='CosineAnnealingLR',
    begin=1,
    end=4,
    T_max=3,
    convert_to_iter_based=True,
)


class LastRate(Hook):
    """The learning rate that the last step was taken with."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.rate = runner.optim_wrapper.get_lr()['lr'][0]


def train(work_dir, schedulers, **kwargs):
    """Train; returns the last learning rate."""
    last = LastRate()
    cfg = Config(dict(param_scheduler=schedulers))
    make_runner(
        work_dir,
        size=16,
        default_hooks=dict(report=dict(type='RunReportHook')),
        param_scheduler=schedulers,
        hooks=[last],
        cfg=cfg,
        loop='ReproducibleEpochBasedTrainLoop',
        **kwargs,
    ).train()
    return last.rate


def warnings(logged):
    return [line for line in logged if ', and the run to ' in line]


@pytest.mark.parametrize(
    ('schedulers', 'length', 'line', 'remedy'),
    [
        # The second step comes never: the milestone is beyond the end.
        (
            [WARM_UP, STEPS],
            dict(iterations=6),
            'MultiStepLR goes to 12, with steps at [8, 10], and the run to 6 '
            'iterations',
            '"param_scheduler.1.end=6" "param_scheduler.1.milestones=[4,5]"',
        ),
        (
            [WARM_UP, STEPS],
            dict(iterations=24),
            'MultiStepLR goes to 12, with steps at [8, 10], and the run to 24 '
            'iterations',
            '"param_scheduler.1.milestones=[16,20]"',
        ),
        (
            [WARM_UP, COSINE],
            dict(epochs=2),
            'CosineAnnealingLR goes to 16, and the run to 8 iterations',
            '"param_scheduler.1.end=2" "param_scheduler.1.T_max=1"',
        ),
        (
            [COSINE],
            dict(epochs=6),
            'CosineAnnealingLR goes to 16, and the run to 24 iterations',
            '"param_scheduler.0.end=6" "param_scheduler.0.T_max=5"',
        ),
        (
            [WARM_UP],
            dict(iterations=1),
            'LinearLR goes to 2, and the run to 1 iterations',
            '"param_scheduler.0.end=1"',
        ),
    ],
)
def test_warning_has_the_last_rate_and_what_to_set(
    tmp_path, logged, schedulers, length, line, remedy
):
    last = train(tmp_path, schedulers, **length)
    (warning,) = warnings(logged)
    assert line in warning
    rate = re.search(r'last step will be ([\d.e-]+)\. ', warning).group(1)
    assert float(rate) == pytest.approx(last, rel=0.01)
    assert remedy in warning


@pytest.mark.parametrize(
    ('schedulers', 'length'),
    [
        ([WARM_UP, STEPS], dict(iterations=12)),
        ([WARM_UP, COSINE], dict(epochs=4)),
        ([WARM_UP], dict(iterations=12)),  # then it stays, as is meant
        ([WARM_UP, dict(type='CosineAnnealingLR')], dict(epochs=3)),
        ([], dict(epochs=1)),
        (
            [dict(type='ReduceOnPlateauLR', monitor='loss', rule='less')],
            dict(epochs=1),
        ),
    ],
)
def test_what_fits_is_not_mentioned(tmp_path, logged, schedulers, length):
    train(tmp_path, schedulers, **length)
    assert not warnings(logged)


def test_a_longer_resumed_run_tells_what_becomes_of_both(tmp_path, logged):
    schedulers = [WARM_UP, dict(type='CosineAnnealingLR', begin=0)]
    train(tmp_path, schedulers, epochs=2)
    assert not warnings(logged)
    last = train(tmp_path, schedulers, epochs=4, resume=True)
    (warning,) = warnings(logged)
    assert 'goes to 2, and the run to 4 epochs' in warning
    rate = re.search(r'last step will be ([\d.e-]+)\. ', warning).group(1)
    assert float(rate) == pytest.approx(last, rel=0.01)
    assert f'load_from={tmp_path}/epoch_2.pth, without --resume' in warning
    (momentum,) = [line for line in logged if line.startswith('The key mom')]
    # Of 8 iterations 8 are done: at the end, and half-way from 0.5 to 1.
    assert 'was 1 here, on a curve of 8 iterations; it goes' in momentum
    assert 'with 0.75, on one of 16.' in momentum


def test_a_trial_ends_within_the_warm_up(logged):
    warm_up = dict(type='LinearLR', begin=0, end=4)
    cosine = dict(type='CosineAnnealingLR', begin=4)
    cfg = Config(
        dict(train_cfg=dict(max_epochs=5), param_scheduler=[warm_up, cosine])
    )
    drop_late_schedules(cfg)
    assert len(cfg.param_scheduler) == 2
    cfg.train_cfg.max_epochs = 4
    drop_late_schedules(cfg)
    assert [each.type for each in cfg.param_scheduler] == ['LinearLR']
    (line,) = logged
    assert 'ends after 4 epochs, within the warm-up' in line
