"""The networks whose matches are drawn: untrained, and from a checkpoint."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmselfemd.engine.hooks.precise_bn_hook import preserve_random_state
from mmselfemd.engine.resume import check_fits
from mmselfemd.errors import UserValueError
from mmselfemd.zoo.loading import state_dict_of

_PREFIX = 'backbone.'


class Backbone(nn.ModuleDict):
    """A backbone under the name that it has in a model, and nothing else."""


def build_networks(
    cfg: Config, checkpoint: str | None = None, seed: int = 0
) -> tuple[nn.Module, dict[str, nn.Module]]:
    """Build the preprocessor and the query backbones of a config.

    Args:
        cfg (Config): Config of a pre-training run.
        checkpoint (str, optional): A pre-training checkpoint or an extracted
            backbone: anything that mmengine's ``CheckpointLoader`` takes,
            ``mmselfemd://NAME`` included. Defaults to None.
        seed (int): Of the untrained weights. Defaults to 0.

    Returns:
        tuple[nn.Module, dict[str, nn.Module]]: The data preprocessor, and
            the backbones by the name they go under: 'untrained' and, with a
            checkpoint, 'trained'.

    Raises:
        UserValueError: If the config has no backbone, or the checkpoint's
            does not fit it.
    """
    backbone = (cfg.get('model') or {}).get('backbone')
    if backbone is None:
        raise UserValueError(
            f'{cfg.filename or "the config"} has no model.backbone'
        )
    preprocessor = cfg.get('data_preprocessor') or cfg.model.get(
        'data_preprocessor'
    )
    if preprocessor is None:
        raise UserValueError(
            f'{cfg.filename or "the config"} has no data_preprocessor'
        )
    with (
        preserve_random_state(),
        DefaultScope.overwrite_default_scope('mmselfemd'),
    ):
        set_random_seed(seed)
        preprocessor = MODELS.build(preprocessor)
        networks = {'untrained': MODELS.build(backbone)}
        # mmengine would print a line for each of hundreds of tensors.
        with _without_log():
            networks['untrained'].init_weights()
        if checkpoint is not None:
            networks['trained'] = MODELS.build(backbone)
            load_backbone(networks['trained'], checkpoint)
    device = get_device()
    for network in networks.values():
        network.to(device)
    return preprocessor.to(device), networks


@contextmanager
def _without_log() -> Iterator[None]:
    previous = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(previous)


def load_backbone(backbone: nn.Module, checkpoint: str) -> None:
    """Load the query backbone of a checkpoint, whole or not at all.

    Args:
        backbone (nn.Module): The backbone.
        checkpoint (str): See :func:`build_networks`.

    Raises:
        UserValueError: If a tensor is missing or of another shape, or the
            checkpoint's backbone is deeper.
    """
    weights = state_dict_of(
        CheckpointLoader.load_checkpoint(
            checkpoint, map_location='cpu', logger='silent'
        ),
        checkpoint,
    )
    weights = {
        name.removeprefix('module.'): value for name, value in weights.items()
    }
    if not any(name.startswith(_PREFIX) for name in weights):
        # A backbone alone; torchvision's have a classifier, which is left.
        tops = {name.split('.')[0] for name in backbone.state_dict()}
        weights = {
            _PREFIX + name: value
            for name, value in weights.items()
            if name.split('.')[0] in tops
        }
    check_fits(Backbone(dict(backbone=backbone)), weights, checkpoint)
    backbone.load_state_dict(
        {
            name.removeprefix(_PREFIX): value
            for name, value in weights.items()
            if name.startswith(_PREFIX)
        },
        strict=False,  # batch counters may be missing, nothing else
    )
