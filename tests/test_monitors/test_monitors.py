"""What a run measures of itself, in real runs on small input."""

from math import isfinite, nan
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from mmselfemd.engine import launch
from mmselfemd.monitors import (
    CollapseMonitorHook,
    GradientMonitorHook,
    TransportMonitorHook,
)
from mmselfemd.visualization import read_scalars

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'small'
MONITORS = {
    'collapse_monitor',
    'transport_monitor',
    'gradient_monitor',
    'initial_validation',
}
FIGURES = {
    'collapse/vector_spread',
    'collapse/vector_rank',
    'collapse/dense_spread',
    'collapse/dense_spread_within',
    'collapse/dense_spread_across',
    'collapse/dense_rank',
    'collapse/predicted_spread',
    'collapse/predicted_spread_within',
    'collapse/predicted_spread_across',
    'transport/residual',
    'transport/matches_per_node',
    'transport/marginal_entropy',
    'transport/cost',
    'transport/excess_cost',
    'transport/own_flow',
    'transport/own_flow_chance',
    'transport/own_flow_other_image',
    'transport/own_flow_same_position',
}
# Measured at the first iteration too.
SHARE = 'gradient/emd_share'


class LossesHook(Hook):
    """Remembers the losses."""

    def __init__(self):
        self.losses = []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append(outputs['loss'].item())


def options(image_folder, **kwargs):
    chosen = {
        'train_dataloader.dataset.data_root': str(image_folder),
        'train_dataloader.dataset.data_prefix': '',
        'train_dataloader.dataset.ann_file': '',
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False,
        'train_dataloader.batch_size': 4,
        'val_dataloader.dataset.data_root': str(image_folder),
        'val_dataloader.dataset.data_prefix': '',
        'val_dataloader.dataset.ann_file': '',
        'val_dataloader.num_workers': 0,
        'val_dataloader.batch_size': 4,
        'test_dataloader.dataset.data_root': str(image_folder),
        'test_dataloader.dataset.data_prefix': '',
        'test_dataloader.dataset.ann_file': '',
        'test_dataloader.num_workers': 0,
        'test_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 1,
        'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.interval': 2,
        'default_hooks.collapse_monitor.interval': 2,
        'default_hooks.transport_monitor.interval': 2,
        'default_hooks.gradient_monitor.interval': 2,
    }
    return chosen | {k.replace('__', '.'): v for k, v in kwargs.items()}


def train(name, work_dir, chosen):
    cfg = launch.load_config(str(CONFIGS / name), str(work_dir), chosen)
    runner = launch.build_runner(cfg)
    losses = LossesHook()
    runner.register_hook(losses)
    runner.train()
    scalars = read_scalars(Path(runner.log_dir) / 'vis_data' / 'scalars.json')
    return runner, losses.losses, scalars


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    import cv2
    import numpy as np

    folder = tmp_path_factory.mktemp('images')
    generator = np.random.default_rng(0)
    for index in range(8):
        texture = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
        image = cv2.resize(texture, (160, 120))
        cv2.imwrite(str(folder / f'{index}.jpg'), image)
    work_dir = tmp_path_factory.mktemp('run')
    return (
        folder,
        work_dir,
        *train('selfemd_r18_voc256_20e.py', work_dir, options(folder)),
    )


def test_figures_are_logged_at_their_interval(run):
    *_, scalars = run
    assert FIGURES <= scalars.keys()
    for name in FIGURES:
        steps, values = scalars[name]
        assert torch.tensor(values).isfinite().all()
        # Written with each log; measured at iterations 2 and 4 of 4.
        assert min(steps) == 2 and len(set(values)) <= 2
    assert 0.3 < scalars['collapse/dense_spread'][1][0] <= 1.1
    assert scalars['transport/excess_cost'][1][0] > 0
    assert 1 <= scalars['transport/matches_per_node'][1][0] <= 83


def test_the_share_of_the_flow_is_logged_from_the_start(run):
    *_, scalars = run
    steps, (first, again, later, _) = scalars[SHARE]
    assert steps == [1, 2, 3, 4]  # measured at iterations 1 and 3
    assert 0 < first == again < 1 and 0 < later < 1 and later != first


def test_matching_is_measured_before_training_and_after_each_epoch(run):
    *_, scalars = run
    steps, values = scalars['matching/accuracy']
    assert steps == [0, 1, 2]
    assert len(set(scalars['matching/chance'][1])) == 1  # the same views
    untrained = scalars['matching/accuracy_untrained']
    assert untrained == ([1, 2], [values[0]] * 2)
    for best in scalars['matching/best'][1]:
        assert best > 0.9


def test_the_test_tool_gives_the_same_for_the_checkpoint(run):
    folder, work_dir, *_, scalars = run
    metrics = launch.test(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(work_dir / 'epoch_2.pth'),
        str(work_dir / 'test'),
        cfg_options=options(folder),
    )
    assert metrics['matching/accuracy'] == pytest.approx(
        scalars['matching/accuracy'][1][-1]
    )


def test_a_validation_alone_with_all_hooks(run, tmp_path):
    """No hook of a pre-training asks for what only a training has."""
    cfg = launch.load_config(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(tmp_path),
        options(run[0]),
    )
    runner = launch.build_runner(cfg)
    assert len(runner.hooks) >= len(
        [hook for hook in cfg.default_hooks.values() if hook]
    )
    metrics = runner.val()
    assert metrics and all(map(isfinite, metrics.values()))
    assert not list(tmp_path.rglob('*.pth'))


def test_monitors_do_not_disturb_training(run, tmp_path):
    folder, _, watched, losses, _ = run
    off = {f'default_hooks.{name}': None for name in MONITORS}
    runner, alone, scalars = train(
        'selfemd_r18_voc256_20e.py', tmp_path, options(folder) | off
    )
    assert alone == losses
    state = runner.model.state_dict()  # statistics of the norms too
    for name, tensor in watched.model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    assert not (FIGURES | {SHARE}) & scalars.keys()
    assert scalars['matching/accuracy'][0] == [1, 2]


def test_byol_has_no_transport_and_no_nodes(run, tmp_path):
    folder, *_ = run
    _, _, scalars = train('byol_r18_voc256_20e.py', tmp_path, options(folder))
    assert 'matching/accuracy' in scalars
    found = (FIGURES | {SHARE}) & scalars.keys()
    assert found == {'collapse/vector_spread', 'collapse/vector_rank'}


def test_without_the_held_out_folder_training_goes_on(run, tmp_path, logged):
    folder, *_ = run
    absent = {'val_dataloader.dataset.data_root': str(tmp_path / 'absent')}
    launch.train(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(tmp_path / 'run'),
        cfg_options=options(folder) | absent,
    )
    assert (tmp_path / 'run' / 'epoch_2.pth').is_file()
    (said,) = (line for line in logged if 'without validation' in line)
    assert 'val_dataloader.dataset.data_root' in said


def test_bad_intervals_are_refused():
    for kind in (
        CollapseMonitorHook,
        GradientMonitorHook,
        TransportMonitorHook,
    ):
        with pytest.raises(ValueError, match='interval must be >= 1'):
            kind(interval=0)


def test_a_resumed_run_keeps_what_it_was_before_training(run, tmp_path):
    folder, work_dir, *_, scalars = run
    cfg = launch.load_config(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(tmp_path),
        options(folder) | {'train_cfg.max_epochs': 3},
    )
    cfg.resume, cfg.load_from = True, str(work_dir / 'epoch_2.pth')
    runner = launch.build_runner(cfg)
    runner.train()
    later = read_scalars(Path(runner.log_dir) / 'vis_data' / 'scalars.json')
    assert later['matching/accuracy'][0] == [3]  # not before the first step
    untrained = scalars['matching/accuracy'][1][0]
    assert later['matching/accuracy_untrained'] == ([3], [untrained])


class NotFinite(Hook):
    """Gives the head NaN at the first iteration that is measured."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        weight = runner.model.neck[0].dense_projector.out.weight
        self.kept = getattr(self, 'kept', weight.detach().clone())
        weight.data.copy_(self.kept if runner.iter != 1 else self.kept * nan)


def test_a_step_that_is_not_finite_is_not_measured(run, tmp_path, logged):
    folder, *_ = run
    cfg = launch.load_config(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(tmp_path),
        options(folder) | {'train_cfg.max_epochs': 1},
    )
    # The NaN is there to be saved if the last iteration has it.
    cfg.default_hooks.checkpoint.update(interval=5, check_finite=False)
    cfg.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner = launch.build_runner(cfg)
    runner.register_hook(NotFinite())
    runner.train()
    scalars = read_scalars(Path(runner.log_dir) / 'vis_data' / 'scalars.json')
    assert not FIGURES & scalars.keys()
    assert not any('nearly the same' in line for line in logged)


@pytest.mark.parametrize('choice', ['num_key_views', 'view_pairs', 'pyramid'])
def test_choices_of_the_method_are_measured_too(run, tmp_path, choice):
    folder, *_ = run
    cfg = launch.load_config(
        str(CONFIGS / 'selfemd_r18_voc256_20e.py'),
        str(tmp_path),
        options(folder) | {'train_cfg.max_epochs': 1},
    )
    cfg.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    if choice == 'num_key_views':
        cfg.model.num_key_views = 1
    elif choice == 'view_pairs':
        cfg.model.head.view_pairs = [[2, 0], [1, 0]]
    else:
        cfg.model.head.pyramid = cfg.model.neck.pop()
    runner = launch.build_runner(cfg)
    runner.train()
    scalars = read_scalars(Path(runner.log_dir) / 'vis_data' / 'scalars.json')
    missing = FIGURES - scalars.keys()
    # A small view has no node i for each node i of a large one.
    same_position = {'transport/own_flow_same_position'}
    assert missing == (same_position if choice == 'view_pairs' else set())
