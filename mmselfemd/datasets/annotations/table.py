"""The columns of a COCO file."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class CocoTable:
    """What a COCO file says, column by column.

    Rows that cannot be read are left out, and are findings. Where there are
    none, rows are those of the file.

    Attributes:
        file (str): The file.
        image_ids (np.ndarray): Ids of the images, (N,).
        file_names (list[str]): Names below the folder, (N,); '' where there
            is none.
        sizes (np.ndarray): Width and height, (N, 2).
        category_ids (np.ndarray): Ids of the categories, (C,).
        category_names (list[str]): Their names, (C,).
        ids (np.ndarray): Ids of the annotations, (M,).
        image_index (np.ndarray): Row of the image of each, (M,).
        category_index (np.ndarray): Row of the category of each, (M,).
        boxes (np.ndarray): x, y, width and height in pixels, (M, 4).
        areas (np.ndarray): Pixels; NaN where missing, (M,).
        crowd (np.ndarray): 1 for crowd, 0 for an object, -1 where it is not
            said, (M,).
        ignored (np.ndarray): Whether mmdet leaves it out, (M,).
        masks (dict[int, Any]): ``segmentation`` of crowds and of up to a
            thousand others, by row.
    """

    file: str
    image_ids: np.ndarray
    file_names: list[str]
    sizes: np.ndarray
    category_ids: np.ndarray
    category_names: list[str]
    ids: np.ndarray
    image_index: np.ndarray
    category_index: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray
    masks: dict[int, Any]

    @property
    def usable(self) -> np.ndarray:
        """Which boxes are learnt from: no crowd, not ignored, a pixel wide."""
        wide = (self.boxes[:, 2:] >= 1).all(1)
        return (self.crowd != 1) & ~self.ignored & wide

    def places(self, rows: np.ndarray) -> list[str]:
        """Say which annotations are meant.

        Args:
            rows (np.ndarray): Their rows.

        Returns:
            list[str]: The id, image and box of each.
        """
        # All numbers at once: ten times as fast, and there may be a million.
        images = self.image_index[rows]
        names = {row: self.image_name(row) for row in np.unique(images)}
        with np.errstate(over='ignore'):
            boxes = np.round(self.boxes[rows], 2)
        return [
            f'annotation {i} of image {names[image]}: bbox {box}'
            for i, image, box in zip(
                self.ids[rows].tolist(),
                images.tolist(),
                boxes.tolist(),
                strict=True,
            )
        ]

    def image_name(self, row: int) -> str:
        """Say which image is meant.

        Args:
            row (int): Its row.

        Returns:
            str: Its id, name and size.
        """
        width, height = self.sizes[row].tolist()
        return (
            f'{self.image_ids[row]} ({self.file_names[row]!r}, '
            f'{width} x {height})'
        )
