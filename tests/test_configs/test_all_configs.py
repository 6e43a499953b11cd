"""Every config is resolved and its model built."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import mmselfemd  # noqa: F401

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
ALL = sorted(
    path.relative_to(CONFIGS)
    for path in CONFIGS.rglob('*.py')
    if '_base_' not in path.parts
)


def test_there_are_configs():
    assert Path('selfemd/selfemd_r50_coco_800e.py') in ALL


@pytest.mark.parametrize('path', ALL, ids=str)
def test_config_is_resolved_and_built(path):
    cfg = Config.fromfile(CONFIGS / path)
    model = dict(cfg.model)
    if cfg.get('data_preprocessor'):
        model.setdefault('data_preprocessor', cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        built = MODELS.build(model)
    assert type(built).__name__ == cfg.model.type.split('.')[-1]
    assert {'checkpoint', 'logger', 'timer'} <= cfg.default_hooks.keys()
    bounded = cfg.default_hooks.bounded_history.type
    assert bounded.split('.')[-1] == 'BoundedHistoryHook'
    assert cfg.default_hooks.checkpoint.type.endswith('SafeCheckpointHook')
    assert 'mmselfemd' in cfg.custom_imports.imports
