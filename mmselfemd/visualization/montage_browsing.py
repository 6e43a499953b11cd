"""The montages that a config's pipeline feeds the network."""

from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, MODELS, DefaultScope
from torch import Tensor, nn

from mmselfemd.random_state import kept_random_state
from mmselfemd.zoo.frozen_backbone import load_model

from .montages import draw_montage
from .page import Picture
from .saving import save_figure

_MOST_MEASURED = 32  # montages that the receptive field is measured on


def draw_montages(
    cfg: Config, out: Path, num: int, seed: int
) -> list[Picture]:
    """Draw montages of the training data with the weights of their labels.

    The weights are those of the checkpoint that ``load_from`` of the config
    names, or else of a network with fresh weights, whose receptive field is
    measured on the montages that are drawn.

    Args:
        cfg (Config): Config of Montage pre-training.
        out (Path): Folder of the pictures.
        num (int): How many; all of an epoch, if there are fewer.
        seed (int): What is random is drawn from it.

    Returns:
        list[Picture]: What was drawn.

    Raises:
        UserError: If the checkpoint does not fit the config.
    """
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        items = []
        for index in range(min(num, len(dataset))):
            with kept_random_state(seed + index):
                items.append(dataset[index])
        weights, source = _label_weights(cfg, items, seed)
    names = [*dataset.metainfo['classes'], 'background']
    return [
        _draw(item, names, weights, source, out, number)
        for number, item in enumerate(items, start=1)
    ]


def _label_weights(
    cfg: Config, items: list[dict], seed: int
) -> tuple[np.ndarray, str]:
    """Weights (4, h, w), and what they are of."""
    preprocessor = cfg.model.get('data_preprocessor') or cfg.data_preprocessor
    model = MODELS.build(cfg.model | dict(data_preprocessor=preprocessor))
    if cfg.get('load_from'):
        load_model(model, cfg.load_from)
        source = Path(cfg.load_from).name
    else:
        source = 'an untrained network'
        with kept_random_state(seed):
            _measure(revert_sync_batchnorm(model), items)
    return model.head.label_weights.numpy(), source


def _measure(model: nn.Module, items: list[dict]) -> None:
    model.init_weights()
    batch = model.data_preprocessor(default_collate(items[:_MOST_MEASURED]))
    model.update_label_weights(batch['inputs'], batch['data_samples'])


def _draw(
    item: dict,
    names: list[str],
    weights: np.ndarray,
    source: str,
    out: Path,
    number: int,
) -> Picture:
    """Draw a montage."""
    sample = item['data_samples']
    own = [names[label] for label in sample.gt_label.tolist()]
    name = f'{number:03d}_montage'
    figure = draw_montage(
        _rgb(item['inputs']),
        sample.regions,
        own,
        weights,
        f'Montage {sample.sample_idx}; weights of {source}',
    )
    picture = Picture(
        save_figure(figure, out / f'{name}.png', dpi=100),
        name,
        f'{", ".join(own)}, and what each label counts at each position, by '
        f'the effective receptive field of {source}.',
    )
    print_log(f'{picture.path}')
    return picture


def _rgb(image: Tensor) -> np.ndarray:
    # LoadImage gives BGR.
    return image.flip(0).permute(1, 2, 0).to(torch.uint8).numpy()
