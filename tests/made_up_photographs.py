"""Made-up photographs with boxes, and the options of a tiny comparison."""

import json
from pathlib import Path

import cv2
import numpy as np

#: Sizes with which everything trains in seconds.
PRETRAIN_OPTIONS = {
    'train_dataloader.batch_size': 4,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'default_hooks.logger.interval': 1,
}
DETECTOR_OPTIONS = {
    'train_dataloader.batch_size': 2,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
    'val_dataloader.num_workers': 0,
    'val_dataloader.persistent_workers': False,
    'test_dataloader.num_workers': 0,
    'test_dataloader.persistent_workers': False,
    'default_hooks.precise_bn.num_images': 2,
    'default_hooks.logger.interval': 1,
}


def write_photographs(
    folder: Path, name: str, count: int, seed: int, first: int = 1
) -> Path:
    """Write images with two boxes each; return their annotation file."""
    (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(seed)
    images, boxes = [], []
    for number in range(first, first + count):
        pixels = rng.integers(60, 120, (64, 80, 3), np.uint8)
        file = f'{name}_{number}.png'
        for kind in (0, 1):
            left, top = rng.integers(0, 20) + 36 * kind, rng.integers(0, 40)
            pixels[top : top + 20, left : left + 24] = 255 * kind
            boxes.append(
                dict(
                    id=len(boxes) + 1,
                    image_id=number,
                    category_id=kind + 1,
                    bbox=[int(left), int(top), 24, 20],
                    area=480,
                    iscrowd=0,
                )
            )
        images.append(dict(id=number, file_name=file, height=64, width=80))
        cv2.imwrite(str(folder / name / file), pixels)
    content = dict(
        images=images,
        annotations=boxes,
        categories=[dict(id=1, name='dark'), dict(id=2, name='light')],
    )
    path = folder / f'{name}.json'
    path.write_text(json.dumps(content))
    return path


def write_all(folder: Path) -> dict[str, Path]:
    """Unlabelled photographs, labelled ones and those of the evaluation."""
    write_photographs(folder, 'unlabelled', 8, seed=0)
    return dict(
        images=folder / 'unlabelled',
        train=write_photographs(folder, 'train', 8, seed=1),
        val=write_photographs(folder, 'val', 6, seed=2),
        train_images=folder / 'train',
        val_images=folder / 'val',
    )


def as_words(options: dict) -> list[str]:
    """For a command line."""
    return [f'{name}={value}' for name, value in options.items()]
