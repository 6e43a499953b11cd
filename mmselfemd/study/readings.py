"""What the frozen backbones of a study's runs read, kept by image."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.evaluation import (
    Boxes,
    cut_boxes,
    matching_figures,
    matching_sums,
    measure_matching,
    read_boxes,
    reading_figures,
)
from mmselfemd.zoo.frozen_backbone import build_untrained, load_backbone

#: What a reading counts in each image, and how that becomes figures.
STATISTICS = dict(matching=matching_figures, boxes=reading_figures)

Sums = dict[str, np.ndarray]
Progress = Callable[[Sequence], Iterable]


def write_lists(data: Path, work_dir: Path) -> dict[str, Path]:
    """List the images of both annotation files, as the configs need them.

    Args:
        data (Path): The folder ``voc07_256``.
        work_dir (Path): Where the lists go.

    Returns:
        dict[str, Path]: Lists of ``train`` and ``val``.
    """
    lists = {}
    for split, path in annotation_files(data).items():
        images = json.loads(path.read_text())['images']
        lists[split] = work_dir.resolve() / f'{split}.txt'
        lists[split].write_text(
            '\n'.join(image['file_name'] for image in images) + '\n'
        )
    return lists


def annotation_files(data: Path) -> dict[str, Path]:
    """Annotation files of the study's photographs.

    Args:
        data (Path): The folder ``voc07_256``.

    Returns:
        dict[str, Path]: Of ``train`` and ``val``.
    """
    folder = data / 'annotations'
    return dict(
        train=folder / 'instances_train3000.json',
        val=folder / 'instances_val1952.json',
    )


class Reader:
    """Reads backbones of one architecture on the same images and boxes.

    Args:
        cfg (Config): Config of a candidate; all have the same backbone, and
            the same held-out views.
        boxes (Sequence[tuple[Path, Path]]): Annotations, and the folder of
            their images: those whose labels are shown, and those whose labels
            are read.
        max_boxes (int, optional): Draw so many of each. Defaults to None:
            all.
        progress (Callable): Goes around lists while they are worked off.
            Defaults to ``iter``: nothing is shown.
    """

    def __init__(
        self,
        cfg: Config,
        boxes: Sequence[tuple[Path, Path]],
        max_boxes: int | None = None,
        progress: Progress = iter,
    ) -> None:
        self.cfg = cfg
        self.progress = progress
        self.mapping = mapping_of(cfg, 'val')
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            self.batches = Runner.build_dataloader(cfg.val_dataloader)
        cut = partial(
            cut_boxes,
            max_boxes=max_boxes,
            mapping=self.mapping,
            progress=progress,
        )
        self.boxes = [
            _with_folder(cut(file, images), images) for file, images in boxes
        ]

    def read(self, checkpoint: Path | None, seed: int = 0) -> Sums:
        """Read a checkpoint, or the untrained network.

        Args:
            checkpoint (Path, optional): None stands for untrained.
            seed (int): That of the untrained network. Defaults to 0.

        Returns:
            dict[str, np.ndarray]: What was counted in each image, for each
            of :data:`STATISTICS`.
        """
        cfg = self.cfg.copy()
        cfg.randomness = dict(seed=seed)
        model = build_untrained(cfg)
        backbone = model.backbone
        if checkpoint is not None:
            backbone = load_backbone(model, str(checkpoint), self.mapping)
        device = get_device()
        network = backbone.to(device), model.data_preprocessor.to(device)
        matching = measure_matching(*network, self.progress(self.batches))
        boxes = read_boxes(*network, *self.boxes, progress=self.progress)
        return dict(matching=matching_sums(matching), boxes=boxes.sums)


def _with_folder(boxes: Boxes, folder: Path) -> Boxes:
    """Images of one name in two folders are two images."""
    return boxes._replace(images=np.char.add(f'{folder}/', boxes.images))


def figures_of(sums: Sums) -> dict[str, float]:
    """Figures of one reading.

    Args:
        sums (dict[str, np.ndarray]): What was counted in each image.

    Returns:
        dict[str, float]: Those of all :data:`STATISTICS` by name.
    """
    return {
        name: float(value)
        for kind, statistic in STATISTICS.items()
        for name, value in statistic(sums[kind].sum(0)).items()
    }
