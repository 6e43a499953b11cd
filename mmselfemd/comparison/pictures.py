"""What two candidates find on the same photographs, side by side."""

import json
from collections.abc import Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from matplotlib import colormaps
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.config import Config
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmselfemd.datasets.image_values import mapping_of
from mmselfemd.visualization.pairs import read_rgb
from mmselfemd.visualization.saving import save_figure

from .candidates import Candidate
from .layout import config_file
from .results import Results

#: So many of the best and of the worst images are drawn.
NUM_DRAWN = 3
_SCORE = 0.3
#: Height of a picture in pixels, so that a page of them stays small.
_HEIGHT = 256


def save_pictures(
    results: Results,
    first: Candidate,
    second: Candidate,
    fraction: float,
    folder: Path,
) -> dict[str, Path]:
    """Draw the images on which one is furthest ahead, and furthest behind.

    Args:
        results (Results): The evaluations.
        first (Candidate): The one, on the right.
        second (Candidate): The other, in the middle; on the left is what
            there is to find.
        fraction (float): Share of the labels.
        folder (Path): Where the pictures go.

    Returns:
        dict[str, Path]: By caption.
    """
    gains = results.gains_by_image(first, second, fraction)
    ids = sorted(results.annotations.getImgIds())
    order = [row for row in np.argsort(gains) if np.isfinite(gains[row])]
    count = min(NUM_DRAWN, len(order) // 2)
    chosen = [*order[::-1][:count], *order[:count]]
    runs = [results.runs(each, fraction)[0] for each in (second, first)]
    found = [json.loads(run.predictions.read_text()) for run in runs]
    cfg = Config.fromfile(config_file(results.plan.work_dir, fraction))
    mapping = mapping_of(cfg, 'val')
    drawing = _Drawing(results.annotations)
    pictures = {}
    for number, row in enumerate(chosen):
        image = results.annotations.imgs[ids[row]]
        name = image['file_name']
        parts = [
            results.annotations.imgToAnns[ids[row]],
            *(
                [b for b in boxes if b['image_id'] == ids[row]]
                for boxes in found
            ),
        ]
        pixels = read_rgb(results.plan.data.val.folder / name, mapping=mapping)
        caption = (
            f'{name}: AP50 of {first.label} less that of {second.label} on '
            f'this image {100 * gains[row]:+.0f}, the mean over the seeds. '
            f'Left: the boxes of the annotations; middle: {second.label}; '
            f'right: {first.label}; both of the first seed.'
        )
        pictures[caption] = save_figure(
            drawing.side_by_side(pixels, parts),
            folder / f'image_{number}.png',
        )
    return pictures


class _Drawing:
    """Draws boxes with mmdet's visualizer."""

    def __init__(self, annotations: COCO) -> None:
        categories = sorted(annotations.cats)
        self.labels = {number: row for row, number in enumerate(categories)}
        colours = colormaps['tab20'](np.arange(len(categories)) % 20)
        self.visualizer = DetLocalVisualizer()
        self.visualizer.dataset_meta = dict(
            # Between two $ matplotlib would read a formula.
            classes=[
                annotations.cats[c]['name'].replace('$', r'\$')
                for c in categories
            ],
            palette=list(map(tuple, (255 * colours[:, :3]).astype(int))),
        )

    def side_by_side(
        self, pixels: np.ndarray, parts: Sequence[Sequence[dict]]
    ) -> np.ndarray:
        """An image once for each list of boxes, RGB."""
        scale = _HEIGHT / pixels.shape[0]
        size = max(1, round(pixels.shape[1] * scale)), _HEIGHT
        small = mmcv.imresize(pixels, size)
        return np.hstack([self._draw(small, part, scale) for part in parts])

    def _draw(
        self, pixels: np.ndarray, boxes: Sequence[dict], scale: float
    ) -> np.ndarray:
        boxes = [box for box in boxes if box.get('score', 1) >= _SCORE]
        corners = torch.tensor([box['bbox'] for box in boxes]).view(-1, 4)
        corners = corners.float() * scale
        corners[:, 2:] += corners[:, :2]
        height, width = pixels.shape[:2]
        corners[:, 0::2] = corners[:, 0::2].clamp(0, width - 1)
        corners[:, 1::2] = corners[:, 1::2].clamp(0, height - 1)
        labels = [self.labels[box['category_id']] for box in boxes]
        instances = InstanceData(
            bboxes=corners, labels=torch.tensor(labels, dtype=torch.long)
        )
        are_found = all('score' in box for box in boxes)
        if are_found:
            scores = [box['score'] for box in boxes]
            instances.scores = torch.tensor(scores)
        name = 'pred_instances' if are_found else 'gt_instances'
        self.visualizer.add_datasample(
            'image',
            pixels,
            DetDataSample(**{name: instances}),
            draw_gt=not are_found,
            draw_pred=are_found,
            pred_score_thr=0.0,
        )
        return self.visualizer.get_image()
