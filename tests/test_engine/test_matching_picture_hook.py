"""Pictures during training, which must not change the training."""

import random
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmselfemd.datasets.image_database import images_to_lmdb
from mmselfemd.engine.hooks import MatchingPictureHook
from mmselfemd.engine.hooks import matching_picture_hook as module

DEMO = Path(__file__).parents[2] / 'configs/demo/selfemd_r18_scenes.py'


class Record(Hook):
    """Losses and generator states of every iteration."""

    # After the pictures.
    priority = 'LOWEST'

    def __init__(self):
        self.losses, self.states = [], []

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        self.losses.append(outputs['loss'].item())

    def after_train_epoch(self, runner):
        self.states.append(
            (
                torch.get_rng_state().tolist(),
                np.random.get_state()[1].tolist(),
                random.getstate(),
            )
        )


@pytest.fixture
def cfg(tmp_path, image_folder, monkeypatch):
    """Two epochs of two iterations, on eight images, in a second or two."""
    # Laying out the text of the config takes longer than the training.
    monkeypatch.setattr(Config, 'pretty_text', property(repr))
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.update(stem_channels=8, base_channels=8)
    cfg.model.neck[0].update(in_channels=64, hidden_channels=16)
    cfg.model.head.update(hidden_channels=16, max_iters=5)
    cfg.train_dataloader.update(
        batch_size=4, num_workers=0, persistent_workers=False
    )
    cfg.train_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix=''
    )
    for view in cfg.train_dataloader.dataset.pipeline[1]['views']:
        view.size //= 2
    cfg.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=2)
    names = ('checkpoint', 'momentum_update', 'param_scheduler')
    cfg.default_hooks = {name: cfg.default_hooks[name] for name in names}
    cfg.default_hooks.checkpoint = dict(type='SafeCheckpointHook', interval=1)
    cfg.work_dir = str(tmp_path / 'work')
    return cfg


def picture_hook(image_folder, **more):
    dataset = dict(type='UnlabelledDataset', data_root=str(image_folder))
    return (
        dict(type='MatchingPictureHook', dataset=dataset, num_pairs=1) | more
    )


@pytest.fixture
def shown(monkeypatch) -> list[tuple]:
    """What would be drawn: the pairs and titles of each figure of lines."""
    shown = []

    def draw(pairs, titles):
        shown.append((pairs, titles))
        return Figure(figsize=(1, 1))

    monkeypatch.setattr(module, 'draw_flow_lines', draw)
    monkeypatch.setattr(
        module, 'draw_matching_figure', lambda *_: Figure(figsize=(1, 1))
    )
    return shown


def train(cfg, hook=None, **more) -> tuple[Runner, Record]:
    cfg = deepcopy(cfg)
    cfg.update(more)
    cfg.experiment_name = f'{cfg.work_dir}_{random.SystemRandom().random()}'
    if hook:
        cfg.default_hooks.matching_picture = hook
    runner = Runner.from_cfg(cfg)
    record = Record()
    runner.register_hook(record)
    runner.train()
    return runner, record


def pictures(runner) -> dict[str, np.ndarray]:
    folder = Path(runner.log_dir, 'vis_data', 'vis_image')
    return {path.name: cv2.imread(str(path)) for path in folder.glob('*.png')}


def test_training_is_bit_equal_with_and_without(cfg, image_folder):
    plain, expected = train(cfg)
    runner, record = train(cfg, picture_hook(image_folder))
    assert record.losses == expected.losses and len(record.losses) == 4
    assert record.states == expected.states
    for name, value in plain.model.state_dict().items():
        assert torch.equal(runner.model.state_dict()[name], value), name
    assert all(module.training for module in runner.model.modules())
    names = {
        f'matching_{kind}_{step}.png'
        for kind in ('heat', 'lines')
        for step in (2, 4)
    }
    drawn = pictures(runner)
    assert drawn.keys() == names
    assert all(min(picture.shape[:2]) > 300 for picture in drawn.values())


def test_images_of_a_database(cfg, image_folder, tmp_path, shown):
    images_to_lmdb([str(image_folder)], tmp_path / 'db')
    backend_args = dict(backend='lmdb', db_path=str(tmp_path / 'db'))
    cfg.train_dataloader.dataset.update(
        data_root='', ann_file=str(tmp_path / 'db' / 'images.txt')
    )
    cfg.train_dataloader.dataset.pipeline[0].backend_args = backend_args
    train(cfg, picture_hook('', dataset=cfg.train_dataloader.dataset))
    assert len(shown) == 2


def test_flow_of_iteration_0_is_that_of_the_first_weights(
    cfg, image_folder, shown
):
    hook = picture_hook(image_folder, by_epoch=False, interval=3, num_pairs=2)
    train(cfg, hook)
    assert [titles for _, titles in shown] == [
        ['iteration 0', 'iteration 3'],
        ['iteration 0', 'iteration 4'],
    ]
    (first, _), (second, _) = shown
    assert len(first) == len(second) == 2
    for before, after in zip(first, second, strict=True):
        assert np.array_equal(before.crop1, after.crop1)
        assert np.array_equal(before.flows[0], after.flows[0])
        assert not np.array_equal(before.flows[1], after.flows[1])
        np.testing.assert_allclose(before.flows[0].sum(), 1, rtol=1e-3)
    # A run that takes no step shows what iteration 0 was.
    still = deepcopy(cfg)
    still.optim_wrapper.optimizer.update(lr=0.0)
    shown.clear()
    train(still, hook)
    np.testing.assert_array_equal(shown[0][0][0].flows[0], first[0].flows[0])
    np.testing.assert_array_equal(shown[0][0][0].flows[1], first[0].flows[0])


def test_a_resumed_run_has_the_flow_of_iteration_0(cfg, image_folder, shown):
    hook = picture_hook(image_folder)
    train(cfg, hook)
    checkpoint = Path(cfg.work_dir, 'epoch_1.pth')
    train(
        cfg,
        hook,
        resume=True,
        load_from=str(checkpoint),
        work_dir=f'{cfg.work_dir}_resumed',
    )
    assert shown[2][1] == ['iteration 0', 'iteration 4']
    (expected,), (found,) = shown[0][0], shown[2][0]
    np.testing.assert_array_equal(found.flows[0], expected.flows[0])
    # Other images: their flow at iteration 0 is not known any more.
    train(
        cfg,
        picture_hook(image_folder / 'more'),
        resume=True,
        load_from=str(checkpoint),
        work_dir=f'{cfg.work_dir}_other',
    )
    assert shown[3][1] == ['iteration 4']


def test_a_diverged_network_ends_no_run(cfg, image_folder):
    cfg.optim_wrapper.optimizer.update(lr=1e30)
    cfg.param_scheduler = []
    runner, record = train(cfg, picture_hook(image_folder))
    assert len(record.losses) == 4 and not np.isfinite(record.losses[-1])
    assert not pictures(runner)


@pytest.mark.parametrize('name', ['interval', 'num_images', 'num_pairs'])
def test_numbers_must_be_positive(name):
    with pytest.raises(ValueError, match=f'{name}: expected >= 1, got 0'):
        MatchingPictureHook(dict(), **{name: 0})
