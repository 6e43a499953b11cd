"""The configs that the documentation shows, read from it and built."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import mmselfemd  # noqa: F401  makes `_base_ = 'mmselfemd::...'` known

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'configs' / 'detection' / 'README.md']


@pytest.mark.parametrize('page', PAGES, ids=['readme', 'detection'])
def test_python_block_is_a_config(page, tmp_path):
    (block,) = re.findall(r'```python\n(.*?)```', page.read_text(), re.S)
    path = tmp_path / 'mine.py'
    path.write_text(block)
    cfg = Config.fromfile(path)
    assert cfg.pretrained == 'backbone.pth'
    hook = cfg.default_hooks.pretrained_backbone
    assert hook.type == 'mmselfemd.PretrainedBackboneHook'
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    assert all(p.requires_grad for p in model.parameters())
    norms = {
        type(module).__name__
        for module in model.backbone.modules()
        if 'Norm' in type(module).__name__
    }
    assert norms == {'SyncBatchNorm'}
