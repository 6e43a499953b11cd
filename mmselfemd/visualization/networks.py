"""The networks whose matches are drawn: untrained, and from a checkpoint."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from mmengine.config import Config
from mmengine.device import get_device
from torch import nn

from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.random_state import kept_random_state
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone


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
        UserValueError: If the config is not of a pre-training run, or the
            checkpoint's backbone does not fit it.
    """
    cfg = deepcopy(cfg)
    cfg.randomness = dict(seed=seed)
    # mmengine would print a line for each of hundreds of tensors.
    with kept_random_state(), _without_log():
        model = build_untrained(cfg)
    networks = {'untrained': model.backbone}
    if checkpoint is not None:
        networks['trained'] = load_backbone(model, checkpoint, mapping_of(cfg))
    device = get_device()
    for network in networks.values():
        network.to(device)
    return model.data_preprocessor.to(device), networks


@contextmanager
def _without_log() -> Iterator[None]:
    previous = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(previous)
