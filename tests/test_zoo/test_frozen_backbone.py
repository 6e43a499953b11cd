"""Backbones of a config, untrained or from a file."""

import pytest
import torch
from mmengine.hooks import Hook

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.engine.launch import build_runner, load_config
from mmselfemd.errors import UserValueError
from mmselfemd.zoo.extract import extract_backbone
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone


@pytest.fixture
def config(root, tmp_path):
    return load_config(
        str(root / 'configs/demo/selfemd_r18_scenes.py'),
        str(tmp_path / 'work'),
        {'randomness.seed': 3},
    )


class Stop(Exception):
    pass


class StopBeforeTraining(Hook):
    """Ends a run where it would take its first step."""

    priority = 'LOWEST'

    def before_train(self, runner):
        raise Stop


def same(first, second) -> bool:
    return all(
        torch.equal(value, second[name]) for name, value in first.items()
    )


def query_of(model) -> dict:
    """All but the key encoder, which becomes a copy at the first step."""
    return {
        name: value
        for name, value in model.state_dict().items()
        if not name.startswith('key.')
    }


def test_untrained_is_the_network_of_the_run(config, image_folder):
    untrained = query_of(build_untrained(config))
    config.train_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False
    )
    config.train_dataloader.dataset.update(
        data_root=str(image_folder), data_prefix=''
    )
    config.update(val_dataloader=None, val_cfg=None, val_evaluator=None)
    runner = build_runner(config)
    runner.register_hook(StopBeforeTraining())
    with pytest.raises(Stop):
        runner.train()
    assert same(untrained, runner.model.state_dict())
    assert len(untrained) > 100
    config.randomness.seed = 4
    assert not same(untrained, query_of(build_untrained(config)))


def test_checkpoints_and_extracted_backbones_are_read(config, tmp_path):
    model = build_untrained(config)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    config.randomness.seed = 4
    trained = build_untrained(config)
    torch.save(
        dict(state_dict=trained.state_dict(), meta=dict()), tmp_path / 'a.pth'
    )
    extract_backbone(tmp_path / 'a.pth', tmp_path / 'b.pth')
    bare = trained.backbone.state_dict() | {'fc.weight': torch.ones(2)}
    torch.save(bare, tmp_path / 'c.pth')  # as torchvision's, with classifier
    for name in ('a.pth', 'b.pth', 'c.pth'):
        backbone = load_backbone(model, str(tmp_path / name))
        assert same(trained.backbone.state_dict(), backbone.state_dict())
        assert same(before, model.state_dict())


def test_checkpoints_that_do_not_fit_are_refused(config, tmp_path):
    model = build_untrained(config)
    path = tmp_path / 'a.pth'
    weights = model.backbone.state_dict()
    for change, message in (
        ({'layer1.0.conv1.weight': torch.ones(3)}, 'another architecture'),
        ({'layer4.2.conv1.weight': torch.ones(3)}, 'missing in the model'),
        ({'conv1.weight': weights['conv1.weight'] * torch.nan}, 'NaN'),
    ):
        torch.save(weights | change, path)
        with pytest.raises(UserValueError, match=message):
            load_backbone(model, str(path))
    torch.save({'neck.0.weight': torch.ones(1)}, path)
    with pytest.raises(UserValueError, match='missing in the file'):
        load_backbone(model, str(path))


def test_images_of_another_range_are_refused(config, tmp_path):
    model = build_untrained(config)
    path = str(tmp_path / 'a.pth')
    meta = dict(value_range=[29000, 31000])
    torch.save(dict(state_dict=model.backbone.state_dict(), meta=meta), path)
    load_backbone(model, path)
    load_backbone(model, path, ValueMapping((29000, 31000)))
    with pytest.raises(UserValueError, match='a.pth was trained with value_'):
        load_backbone(model, path, ValueMapping())


def test_a_detector_is_refused(root, config):
    detector = load_config(
        str(root / 'configs/demo/faster-rcnn_r18_fpn_scenes.py')
    )
    with pytest.raises(UserValueError, match='describes a FasterRCNN'):
        build_untrained(detector)
    config.pop('model')
    with pytest.raises(UserValueError, match="no 'model'"):
        build_untrained(config)
