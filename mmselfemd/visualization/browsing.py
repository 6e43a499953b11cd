"""What a config's pipeline feeds the network, drawn image by image."""

import time
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.logging import print_log
from mmengine.registry import DATASETS, MODELS, DefaultScope
from torch import nn

from mmselfemd.datasets.data_paths import check_data_paths
from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.errors import UserValueError
from mmselfemd.random_state import kept_random_state

from .montage_browsing import draw_montages
from .page import Picture, files_of
from .pairs import read_rgb
from .saving import save_figure
from .view_pipeline import (
    backend_args_of,
    stitches_montages,
    view_pipeline,
)
from .views import draw_views


def browse_views(
    cfg: Config, out: str, num: int = 8, seed: int = 0, html: bool = False
) -> list[Path]:
    """Draw images of the training data and the views cut from them.

    Of a config of Montage, its montages with the weights of their labels.

    Args:
        cfg (Config): Config of a pre-training run.
        out (str): Folder of the pictures.
        num (int): How many images; all, if there are fewer. Defaults to 8.
        seed (int): Chooses the images and what is random about their views.
            Defaults to 0.
        html (bool): Whether to write ``index.html`` too. Defaults to False.

    Returns:
        list[Path]: The files written.

    Raises:
        UserError: If the config is not one of pre-training, its data are not
            there, or ``num`` is not positive.
    """
    if num < 1:
        raise UserValueError(f'--num: expected at least 1, got {num}')
    if stitches_montages(cfg):
        check_data_paths(cfg, ['train'])
        pictures = draw_montages(cfg, Path(out), num, seed)
        return files_of(pictures, out, 'Montages of the training data', html)
    backend_args = backend_args_of(view_pipeline(cfg))
    check_data_paths(cfg, ['train'])
    pictures, start = [], time.time()
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        preprocessor = MODELS.build(_without_normalisation(cfg))
        order = np.random.default_rng(seed).permutation(len(dataset))[:num]
        for done, index in enumerate(order.tolist(), start=1):
            with kept_random_state(seed + index):
                item = dataset[index]
            crops = _crops_of(item, preprocessor)
            image = read_rgb(
                item['data_samples'].img_path, backend_args, mapping_of(cfg)
            )
            pictures.append(
                _draw(image, item, crops, Path(out), f'{done:03d}', index)
            )
            left = (time.time() - start) / done * (len(order) - done)
            print_log(
                f'{pictures[-1].path} ({done} of {len(order)}, '
                f'{left:.0f} s left)'
            )
    return files_of(pictures, out, 'Views of the training data', html)


def _without_normalisation(cfg: Config) -> dict:
    """Config of the preprocessor, such that colours can still be seen."""
    preprocessor = cfg.model.get('data_preprocessor') or cfg.data_preprocessor
    # LoadImage gives BGR.
    return preprocessor | dict(mean=None, std=None, to_rgb=True)


def _crops_of(item: dict, preprocessor: nn.Module) -> list[np.ndarray]:
    """Views of an item after all that the preprocessor does to colours."""
    views = preprocessor(default_collate([item]))['inputs']
    return [
        view[0].round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        for view in views
    ]


def _draw(
    image: np.ndarray,
    item: dict,
    crops: list[np.ndarray],
    out: Path,
    number: str,
    index: int,
) -> Picture:
    """Draw an image of the data set and its views, RGB uint8."""
    sample = item['data_samples']
    figure = draw_views(
        image,
        sample.views,
        crops,
        f'Image {index}: {Path(sample.img_path).name}',
    )
    name = f'{number}_{Path(sample.img_path).stem}'
    sizes = ', '.join(str(view['size']) for view in sample.views)
    return Picture(
        save_figure(figure, out / f'{name}.png', dpi=100),
        name,
        f'{Path(sample.img_path).name} with the boxes of its '
        f'{len(crops)} views, and the views, of {sizes} pixels, as the '
        'network gets them.',
    )
