"""What keeps a long run alive, in a detection config."""

import os
import signal

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.engine import launch, run_settings

NAME = 'configs/detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py'


@HOOKS.register_module()
class AskToStop(Hook):
    """The signal of a scheduler, in the middle of an iteration."""

    priority = 'VERY_HIGH'

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 1:
            os.kill(os.getpid(), signal.SIGTERM)


@HOOKS.register_module()
class SpoilGradient(Hook):
    """A gradient of NaN at the second iteration, weights before and after."""

    states: list = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        weight = runner.model.backbone.conv1.weight
        if runner.iter == 1:
            self.handle = weight.register_hook(lambda g: g * float('nan'))
        self.keep(runner)

    def after_train_iter(
        self, runner, batch_idx, data_batch=None, outputs=None
    ) -> None:
        if runner.iter == 1:
            self.handle.remove()
        self.keep(runner)

    def keep(self, runner) -> None:
        state = runner.model.state_dict()
        self.states.append({k: v.clone() for k, v in state.items()})


@pytest.fixture(autouse=True)
def handlers_stay():
    """Whatever a test does, this process listens as before."""
    former = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def options(folder, *hooks):
    """A run of four iterations in seconds, without validation."""
    return {
        'pretrained': None,
        'train_dataloader.dataset.data_root': str(folder),
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.dataset.pipeline.2.scales': [(96, 64)],
        'val_dataloader': None,
        'val_cfg': None,
        'val_evaluator': None,
        'model.backbone.depth': 18,
        'model.neck.in_channels': [64, 128, 256, 512],
        'model.train_cfg.rpn_proposal.max_per_img': 20,
        'train_cfg.max_iters': 4,
        'default_hooks.precise_bn': None,
        'default_hooks.run_report.num_warm_up': 1,
        'default_hooks.run_report.num_steps': 1,
        'default_hooks.logger.interval': 1,
        'custom_hooks': [dict(type=hook) for hook in hooks],
        'randomness': dict(seed=0),
    }


def saved(work_dir):
    """The weights after the last iteration."""
    path = str(work_dir / 'iter_4.pth')
    return CheckpointLoader.load_checkpoint(path, 'cpu')['state_dict']


@pytest.mark.slow
def test_reports_stops_in_good_order_and_goes_on(
    root, coco, tmp_path, monkeypatch, logged
):
    monkeypatch.chdir(tmp_path)
    config = str(root / NAME)
    straight, stopped = tmp_path / 'straight', tmp_path / 'stopped'
    launch.train(config, work_dir=str(straight), cfg_options=options(coco))
    report = '\n'.join(logged)
    for line in (
        'Images: 6.',
        'Batch: 2 images a step of the optimiser = 2 x 1 process',
        'Steps: 4 of the optimiser.',
        'The learning rate 0.02 is meant for 16 images a step',
        'hours for the remaining 2 iterations',
    ):
        assert line in report, line

    with pytest.raises(SystemExit) as info:
        launch.train(
            config,
            work_dir=str(stopped),
            cfg_options=options(coco, 'AskToStop'),
        )
    assert info.value.code == 143
    assert [path.name for path in stopped.glob('*.pth')] == ['iter_2.pth']
    launch.train(
        config,
        work_dir=str(stopped),
        resume='auto',
        cfg_options=options(coco),
    )
    straight, stopped = saved(straight), saved(stopped)
    assert straight.keys() == stopped.keys()
    for name, value in straight.items():
        assert torch.equal(value, stopped[name]), name


def test_a_step_that_is_not_finite_is_left_out(
    root, coco, tmp_path, monkeypatch, logged
):
    monkeypatch.chdir(tmp_path)
    SpoilGradient.states.clear()
    launch.train(
        str(root / NAME),
        work_dir=str(tmp_path / 'run'),
        cfg_options=options(coco, 'SpoilGradient'),
    )
    (line,) = (line for line in logged if 'Non-finite' in line)
    assert 'gradient at iteration 2' in line and '.jpg' in line
    changed = [
        [k for k, v in after.items() if not torch.equal(v, before[k])]
        for before, after in zip(
            SpoilGradient.states[::2], SpoilGradient.states[1::2], strict=True
        )
    ]
    assert changed[1] == []
    assert len(changed) == 4 and all(changed[i] for i in (0, 2, 3))
    weights = saved(tmp_path / 'run').values()
    assert all(value.isfinite().all() for value in weights)


def test_mixed_precision_keeps_the_wrapper_that_leaves_steps_out(
    root, monkeypatch
):
    monkeypatch.setattr(run_settings, 'get_device', lambda: 'cuda')
    cfg = Config.fromfile(root / NAME)
    run_settings.set_amp(cfg)
    assert cfg.optim_wrapper.type == 'mmselfemd.FiniteAmpOptimWrapper'
    assert cfg.optim_wrapper.loss_scale == 'dynamic'
