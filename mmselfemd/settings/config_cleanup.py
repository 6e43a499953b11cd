"""Takes out of a config what mmengine or torch would stumble over."""

from uuid import uuid4

from mmengine.config import Config
from mmengine.visualization import Visualizer

_MMENGINE_HOOKS = {
    'checkpoint',
    'logger',
    'param_scheduler',
    'runtime_info',
    'sampler_seed',
    'timer',
}


def clean_config(cfg: Config) -> None:
    """Take out what means nothing and would stop the run.

    Args:
        cfg (Config): A whole config; changed.
    """
    for name, loader in cfg.items():
        if name.endswith('_dataloader') and isinstance(loader, dict):
            _clean_loader(loader)
    _drop_hooks_set_to_none(cfg)


def name_visualizer(cfg: Config) -> None:
    """Let a run have a visualizer of its own.

    mmengine hands a second run of a process the visualizer of the first, by
    the name that mmdet's configs give it, and the curves would go into the
    folder of the first.

    Args:
        cfg (Config): A whole config; changed where the name is taken.
    """
    visualizer = cfg.get('visualizer')
    if isinstance(visualizer, dict):
        name = visualizer.get('name')
        if name is not None and Visualizer.check_instance_created(name):
            visualizer.name = f'{name}-{uuid4().hex}'


def _clean_loader(loader: dict) -> None:
    # mmengine marks every dict of an inherited `package::` config with its
    # scope, and hands the mark of `collate_fn` on to the function.
    collate = loader.get('collate_fn')
    if isinstance(collate, dict):  # else the function itself
        collate.pop('_scope_', None)
    # torch refuses what is for workers where there are none.
    if not loader.get('num_workers'):
        loader.pop('persistent_workers', None)
        loader.pop('prefetch_factor', None)


def _drop_hooks_set_to_none(cfg: Config) -> None:
    # mmengine takes `default_hooks.NAME=None` for the six hooks that it adds
    # by itself; for any other name it stops at an assertion without a word.
    hooks = cfg.get('default_hooks') or {}
    for name, hook in list(hooks.items()):
        if hook is None and name not in _MMENGINE_HOOKS:
            del hooks[name]
