"""Small data sets in the layouts that the detection configs expect."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets import CocoDataset

BOX = (20, 10, 70, 50)  # of the one object of each image


def write_images(folder: Path, names: list[str], seed: int = 0) -> None:
    """Images of 96 x 64 pixels, each with a bright box on noise."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    x1, y1, x2, y2 = BOX
    for name in names:
        image = generator.integers(0, 99, (64, 96, 3), dtype=np.uint8)
        image[y1:y2, x1:x2] = 255
        cv2.imwrite(str(folder / name), image)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """Six images for training and six for validation, with masks."""
    x1, y1, x2, y2 = BOX
    names = [f'{index}.jpg' for index in range(1, 7)]
    (tmp_path / 'annotations').mkdir()
    for seed, split in enumerate(('train2017', 'val2017')):
        write_images(tmp_path / split, names, seed)
        content = dict(
            images=[
                dict(id=number, file_name=name, width=96, height=64)
                for number, name in enumerate(names, 1)
            ],
            annotations=[
                dict(
                    id=number,
                    image_id=number,
                    category_id=1,
                    iscrowd=0,
                    bbox=[x1, y1, x2 - x1, y2 - y1],
                    area=(x2 - x1) * (y2 - y1),
                    segmentation=[[x1, y1, x2, y1, x2, y2, x1, y2]],
                )
                for number in range(1, 7)
            ],
            categories=[
                dict(id=number, name=name)
                for number, name in enumerate(
                    CocoDataset.METAINFO['classes'], 1
                )
            ],
        )
        path = tmp_path / 'annotations' / f'instances_{split}.json'
        path.write_text(json.dumps(content))
    return tmp_path


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Three images of each year, with a horse in each."""
    root = tmp_path / 'VOCdevkit'
    for year, splits in ((2007, ('trainval', 'test')), (2012, ('trainval',))):
        folder = root / f'VOC{year}'
        stems = [f'{year}_00000{index}' for index in range(3)]
        write_images(folder / 'JPEGImages', [f'{s}.jpg' for s in stems])
        (folder / 'Annotations').mkdir()
        (folder / 'ImageSets' / 'Main').mkdir(parents=True)
        for stem in stems:
            (folder / 'Annotations' / f'{stem}.xml').write_text(
                voc_annotation([('horse', BOX)], (96, 64))
            )
        for split in splits:
            path = folder / 'ImageSets' / 'Main' / f'{split}.txt'
            path.write_text('\n'.join(stems) + '\n')
    return root


def voc_annotation(
    objects: list[tuple[str, tuple]], size: tuple[int, int]
) -> str:
    """An annotation file of VOC, whose pixels are counted from 1."""
    width, height = size
    lines = ''.join(
        f'<object><name>{name}</name><difficult>0</difficult><bndbox>'
        f'<xmin>{box[0] + 1}</xmin><ymin>{box[1] + 1}</ymin>'
        f'<xmax>{box[2] + 1}</xmax><ymax>{box[3] + 1}</ymax>'
        '</bndbox></object>'
        for name, box in objects
    )
    return (
        f'<annotation><size><width>{width}</width><height>{height}</height>'
        f'<depth>3</depth></size>{lines}</annotation>'
    )


@pytest.fixture(scope='session')
def voc_xml() -> Callable[..., str]:
    """What writes an annotation: see :func:`voc_annotation`."""
    return voc_annotation
