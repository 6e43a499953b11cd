"""What is put right in memory, so that mmdet and pycocotools see it right."""

import numpy as np

from .boxes import area_is_missing, outside_image
from .table import CocoTable


def mend(content: dict, table: CocoTable) -> None:
    """Put right what :func:`check_boxes` calls mended.

    Args:
        content (dict): The parsed JSON, without anything that stops;
            changed.
        table (CocoTable): Its columns; left as they were in the file.
    """
    if not len(table.ids):
        return
    annotations = content['annotations']
    for row in np.flatnonzero(table.crowd < 0).tolist():
        annotations[row]['iscrowd'] = 0
    _, partly = outside_image(table)
    for row in np.flatnonzero(partly).tolist():
        _cut_off(annotations[row], table, row)
    for row in np.flatnonzero(area_is_missing(table)).tolist():
        _, _, width, height = annotations[row]['bbox']
        annotations[row]['area'] = width * height
    for row in np.flatnonzero(table.ids == 0).tolist():
        annotations[row]['id'] = int(table.ids.max()) + 1


def _cut_off(annotation: dict, table: CocoTable, row: int) -> None:
    """End a box at the border of its image.

    An area that was that of the box stays so; another is that of a mask.
    """
    left, top, width, height = table.boxes[row].tolist()
    image_width, image_height = table.sizes[table.image_index[row]].tolist()
    right, bottom = left + width, top + height
    left, right = max(left, 0), min(right, image_width)
    top, bottom = max(top, 0), min(bottom, image_height)
    if np.isclose(table.areas[row], width * height, rtol=1e-3):
        annotation['area'] = (right - left) * (bottom - top)
    annotation['bbox'] = [left, top, right - left, bottom - top]
