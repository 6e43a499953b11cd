"""A checkpoint of a detector that nobody has trained."""

from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope


def save_random_detector(config: str | Path, folder: Path) -> Path:
    """Random weights, which find something everywhere."""
    cfg = Config.fromfile(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    model.init_weights()
    path = folder / 'iter_1.pth'
    meta = dict(dataset_meta=dict(cfg.metainfo))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path
