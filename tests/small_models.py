"""The models of configs/small, with other options of their heads."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models import SelfSupDataPreprocessor

CONFIGS = Path(__file__).resolve().parents[1] / 'configs' / 'small'


def small_config(name, **head):
    """The config of that name, which takes images as they are."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.head |= head
    cfg.model.data_preprocessor = SelfSupDataPreprocessor()
    return cfg


def build(cfg):
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return MODELS.build(cfg.model)


def small_model(name, **head):
    """A model that can take a step; its key equals its query."""
    model = build(small_config(name, **head))
    model.reset_key()
    model.has_momentum_hook = True
    return model
