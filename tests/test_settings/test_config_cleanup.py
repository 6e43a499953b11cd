"""What would stand in the way of a run is taken out of its config."""

from uuid import uuid4

from mmengine.config import Config
from mmengine.registry import VISUALIZERS

from mmselfemd.settings.config_cleanup import clean_config, name_visualizer


def test_a_function_that_collates_is_left_alone():
    cfg = Config(
        dict(
            train_dataloader=dict(collate_fn=dict(type='f', _scope_='mmdet')),
            val_dataloader=dict(num_workers=0, persistent_workers=True),
        )
    )
    cfg.val_dataloader.collate_fn = list
    clean_config(cfg)
    assert cfg.train_dataloader.collate_fn == dict(type='f')
    assert cfg.val_dataloader.collate_fn is list
    assert 'persistent_workers' not in cfg.val_dataloader


def test_each_run_of_a_process_has_a_visualizer_of_its_own():
    name = uuid4().hex
    visualizers = []
    for _ in range(2):
        cfg = Config(dict(visualizer=dict(type='Visualizer', name=name)))
        name_visualizer(cfg)
        visualizers.append(VISUALIZERS.build(cfg.visualizer))
    first, second = visualizers
    assert first.instance_name == name
    assert second is not first
    name_visualizer(Config(dict(visualizer=None)))
