"""What would stand in the way of a run is taken out of its config."""

from uuid import uuid4

from mmengine.config import Config
from mmengine.registry import VISUALIZERS

from mmselfemd.settings.config_cleanup import name_visualizer


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
