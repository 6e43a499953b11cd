"""What benchmark_pipeline.py compares: ways from a file to three views."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmengine.hub import get_config
from mmengine.registry import DATASETS, DefaultScope
from torchvision.transforms import RandomResizedCrop

import mmselfemd  # noqa: F401  registers everything
from mmselfemd.datasets import LoadImage

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/_base_/datasets'
SIZES = (224, 224, 112)


def decode_and_cut(path: str) -> list[np.ndarray]:
    """The floor: what any pipeline has to do, by OpenCV's fastest means."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    views = []
    for size in SIZES:
        left, top, width, height = random_box(image)
        crop = image[top : top + height, left : left + width]
        views.append(cv2.resize(crop, (size, size)))
    return views


def random_box(image: np.ndarray) -> tuple[int, int, int, int]:
    """A crop of BYOL's."""
    stand_in = torch.empty(1).expand(3, *image.shape[:2])
    top, left, height, width = RandomResizedCrop.get_params(
        stand_in, [0.08, 1.0], [3 / 4, 4 / 3]
    )
    return left, top, width, height


def our_config(name: str, data: str, shrunk_dir: str | None = None) -> Config:
    """A config of the data with the images of ``data``."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    images = cfg.train_dataloader.dataset
    images.update(data_root=data, data_prefix='')
    if shrunk_dir:
        for load in (cfg.train_pipeline[0], images.pipeline[0]):
            load.update(lazy=True, shrunk_dir=shrunk_dir)
    return cfg


def mmpretrain_pipeline() -> list[dict]:
    """BYOL's own, with a third view like its second one."""
    cfg = get_config(
        'mmpretrain::byol/byol_resnet50_16xb256-coslr-200e_in1k.py'
    )
    small = deepcopy(cfg.view_pipeline2)
    small[0].scale = SIZES[2]
    load, views, pack = cfg.train_pipeline
    views.num_views = [1, 1, 1]
    views.transforms = [cfg.view_pipeline1, cfg.view_pipeline2, small]
    return [load, views, pack]


def images_through(
    cfg: ConfigDict, pipeline: list[dict], scope: str = 'mmselfemd'
) -> BaseDataset:
    """The images of a dataset's config, with a pipeline of a scope."""
    with DefaultScope.overwrite_default_scope('mmselfemd'):
        dataset = DATASETS.build(dict(cfg, pipeline=[]))
    with DefaultScope.overwrite_default_scope(scope):
        dataset.pipeline = Compose(pipeline)
    return dataset


def contestants(
    data: str, shrunk_dir: str | None = None
) -> tuple[list[str], dict[str, Callable]]:
    """Paths of the images, and what makes the views of one, by its number."""
    ours, on_host = (
        our_config(name, data, shrunk_dir)
        for name in ('coco_views', 'coco_views_on_host')
    )
    images = ours.train_dataloader.dataset
    datasets = {
        'mmselfemd': images_through(images, ours.train_pipeline),
        'mmselfemd, colours on the host': images_through(
            images, on_host.train_pipeline
        ),
        'mmpretrain': images_through(
            images, mmpretrain_pipeline(), 'mmpretrain'
        ),
    }
    dataset = datasets['mmselfemd']
    paths = [
        dataset.get_data_info(number)['img_path']
        for number in range(len(dataset))
    ]
    makers = {name: each.__getitem__ for name, each in datasets.items()}
    return paths, {'floor': lambda i: decode_and_cut(paths[i])} | makers


def whole_images(paths: Sequence[str], count: int) -> list[int]:
    """Numbers of the first images that are not broken."""
    numbers = []
    for number, path in enumerate(paths):
        if LoadImage()(dict(img_path=path)) is not None:
            numbers.append(number)
        if len(numbers) == count:
            break
    return numbers
