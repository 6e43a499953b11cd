"""Two crops of an image that show enough of the same."""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.registry import TRANSFORMS, DefaultScope
from mmpretrain.structures import DataSample

from mmselfemd.evaluation import correspondences, overlap
from mmselfemd.random_state import kept_random_state

from .view_pipeline import cut_views_of

MIN_OVERLAP = 0.3  # intersection over union
_MAX_DRAWS = 100


class Crops(NamedTuple):
    """Two crops of an image.

    Attributes:
        path (Path): The image.
        number (int): Which of the image's pairs, from 0.
        crops (list[np.ndarray]): RGB uint8 (size, size, 3) each.
        views (list[dict]): Their geometry, as ``CutViews`` gives it.
        is_shown (bool): Whether it is drawn, or only adds to a batch's
            statistics.
    """

    path: Path
    number: int
    crops: list[np.ndarray]
    views: list[dict]
    is_shown: bool = True


class OverlappingCrops:
    """Cuts pairs of crops by a config's ``CutViews``.

    A pair is drawn again until intersection over union reaches 0.3; after
    100 draws the best is taken. The pairs depend on the image, its name and
    the seed alone; the global generators stay as they were.

    Args:
        pipeline (list[dict]): Pipeline with ``CutViews`` that cuts two views
            and changes no colours, from :func:`without_colour_changes`.
        seed (int): Seed.
    """

    def __init__(self, pipeline: list[dict], seed: int) -> None:
        with DefaultScope.overwrite_default_scope('mmselfemd'):
            self.cut_views = TRANSFORMS.build(cut_views_of(pipeline))
        self.seed = seed

    def __call__(
        self, path: Path, image: np.ndarray, num_pairs: int
    ) -> list[Crops]:
        """Cut pairs.

        Args:
            path (Path): Where the image is from.
            image (np.ndarray): The image, RGB, (H, W, 3), uint8.
            num_pairs (int): How many; more of them begin with the same ones.

        Returns:
            list[Crops]: The pairs.

        Raises:
            ValueError: If no two crops overlap.
        """
        seed = zlib.crc32(f'{self.seed}/{path.name}'.encode())
        with kept_random_state(seed):
            return [
                self._cut(path, image, number) for number in range(num_pairs)
            ]

    def _cut(self, path: Path, image: np.ndarray, number: int) -> Crops:
        best, most = None, 0.0
        for _ in range(_MAX_DRAWS):
            # Cuts the pixels as well, at a cost of about a millisecond.
            results = self.cut_views.transform(dict(img=image))
            shared = overlap(*results['views'])
            if shared > most and correspondences(*results['views']).any():
                best, most = results, shared
            if most >= MIN_OVERLAP:
                break
        if best is None:
            raise ValueError(f'none of {_MAX_DRAWS} pairs of crops overlap')
        return Crops(path, number, best['img'], best['views'])


def collate_crops(pairs: Sequence[Crops]) -> dict:
    """Make a batch of crops, as the training pipeline would.

    Args:
        pairs (Sequence[Crops]): B pairs.

    Returns:
        dict: ``inputs``, two tensors (B, 3, size, size), BGR uint8, and
            ``data_samples``, see :func:`mmselfemd.evaluation.match_batch`.
    """
    inputs = [
        torch.from_numpy(
            np.stack(
                [
                    pair.crops[view][..., ::-1].transpose(2, 0, 1)
                    for pair in pairs
                ]
            )
        )
        for view in range(2)
    ]
    samples = [DataSample(metainfo=dict(views=pair.views)) for pair in pairs]
    return dict(inputs=inputs, data_samples=samples)
