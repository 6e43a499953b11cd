"""A correct annotation file with its images, to be spoilt in tests."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mmselfemd.datasets.annotations import check_file, forget_files

NUM_IMAGES = 6
SIZE = (120, 80)  # width, height


@pytest.fixture(autouse=True)
def nothing_remembered():
    """Each test reads its files itself."""
    forget_files()
    yield
    forget_files()


def write_image(path: Path, seed: int, size: tuple[int, int] = SIZE) -> None:
    """Noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert cv2.imwrite(str(path), pixels)


def correct_content(seed: int = 0) -> dict:
    """Six images with four cats and four dogs each."""
    generator = np.random.default_rng(seed)
    content = dict(
        images=[
            dict(id=n, file_name=f'{n}.jpg', width=SIZE[0], height=SIZE[1])
            for n in range(1, NUM_IMAGES + 1)
        ],
        annotations=[],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
    )
    for number in range(8 * NUM_IMAGES):
        x, y = generator.integers(0, (70, 30)).tolist()
        width, height = generator.integers(20, (50, 50)).tolist()
        content['annotations'].append(
            dict(
                id=number + 1,
                image_id=number // 8 + 1,
                category_id=number % 2 + 1,
                bbox=[x, y, width, height],
                area=width * height,
                iscrowd=0,
            )
        )
    return content


class Labels:
    """A folder with a file and its images.

    Attributes:
        content (dict): What goes into the file; tests change it.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.file, self.images = folder / 'labels.json', folder / 'images'
        self.content = correct_content(seed)
        for number in range(1, NUM_IMAGES + 1):
            write_image(self.images / f'{number}.jpg', 100 * seed + number)

    def write(self) -> str:
        """Put the content into the file."""
        self.file.write_text(json.dumps(self.content))
        return str(self.file)

    def check(self, **options) -> dict:
        """What is found, by kind."""
        findings = check_file(self.write(), str(self.images), **options)
        return {finding.kind.name: finding for finding in findings}


@pytest.fixture
def labels(tmp_path: Path) -> Labels:
    """A correct file with its images."""
    return Labels(tmp_path)


@pytest.fixture
def val_labels(tmp_path: Path) -> Labels:
    """Another, of other images."""
    return Labels(tmp_path / 'val', seed=1)
