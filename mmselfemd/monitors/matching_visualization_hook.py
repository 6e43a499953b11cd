"""Draws what the backbone matches, while it trains."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch import Tensor

from mmselfemd.engine.model import unwrap_model
from mmselfemd.evaluation import match_others, match_views
from mmselfemd.evaluation.backbone_matching import BatchFlows
from mmselfemd.registry import HOOKS
from mmselfemd.visualization import (
    draw_matching_figure,
    matching_pair_of_crops,
    most_overlapping,
    to_image,
)

_BEFORE = 'before training'
_NOTHING = 'No matching is drawn: '


@HOOKS.register_module()
class MatchingVisualizationHook(Hook):
    """Draws Fig. 5 of the paper at each validation.

    For a few held-out images: where the transport between the backbone's last
    maps takes a position of view 1 in view 2, before training and now. Images
    and positions are those of the validation before, so that one picture
    compares with the next; what the flows are has no say in their choice. The
    picture goes to the runner's visualizer as ``matching``:
    ``vis_data/vis_image/matching_ITER.png``, and each logger that there is.

    In a resumed run the first validation since then takes the place of that
    before training, whose flows are not kept. Where views are drawn anew each
    time, as without a ``seed`` of the data set, each picture stands by itself.
    A validation by itself draws nothing, nor does one of anything else than
    maps of two views.

    Args:
        num_pairs (int): How many images. Defaults to 3.
        num_positions (int): How many positions of each. Defaults to 2.
        gamma (float): Strength of the entropy. Defaults to 0.05.
        dpi (int): Pixels per inch; a picture is 12 inches wide, where two
            positions are shown. Defaults to 80.
    """

    def __init__(
        self,
        num_pairs: int = 3,
        num_positions: int = 2,
        gamma: float = 0.05,
        dpi: int = 80,
    ) -> None:
        self.num_pairs = num_pairs
        self.num_positions = num_positions
        self.gamma = gamma
        self.dpi = dpi
        self._trains = False
        self._first: tuple[str, BatchFlows] | None = None

    def before_train(self, runner: Runner) -> None:
        """Forget the flows of a run before."""
        self._trains, self._first = True, None

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[DataSample] | None = None,
    ) -> None:
        """Draw images of the first batch.

        Args:
            runner (Runner): The run.
            batch_idx (int): Number of the batch; the others are not drawn.
            data_batch (dict, optional): ``inputs``: images of each view,
                (B, 3, H, W).
            outputs (Sequence[DataSample], optional): For each image
                ``feature_maps`` (C, S, S) of its views, and their geometry
                ``views``.
        """
        # A validation by itself has no iteration: to ask for it builds a loop
        # of training, by which other hooks take it for one.
        if not self._trains or batch_idx != 0 or not is_main_process():
            return
        if not all(map(_has_two_views, outputs)):
            return
        map1, map2 = (
            torch.stack([sample.feature_maps[view] for sample in outputs])
            for view in (0, 1)
        )
        views = [sample.views[:2] for sample in outputs]
        flows = BatchFlows(
            match_views(map1, map2, self.gamma).cpu().numpy(),
            match_others(map1, map2, self.gamma),
            views,
        )
        if not np.isfinite(flows.flows).all():
            print_log(f'{_NOTHING}maps are not finite', logger='current')
            return
        crops = [
            self._crops(runner, images) for images in data_batch['inputs'][:2]
        ]
        self._draw(runner, crops, flows)

    def _draw(
        self,
        runner: Runner,
        crops: Sequence[np.ndarray],
        flows: BatchFlows,
    ) -> None:
        now = f'iteration {runner.iter}' if runner.iter else _BEFORE
        if self._first is None or _places(self._first[1]) != _places(flows):
            self._first = now, flows
        title, first = self._first
        # The first time there is nothing to compare with.
        shown = {title: first, now: flows}
        num_cells = round(flows.flows.shape[-1] ** 0.5)
        try:
            chosen = most_overlapping(flows.views, num_cells, self.num_pairs)
        except ValueError as error:
            print_log(f'{_NOTHING}{error}', logger='current')
            return
        pairs = [
            matching_pair_of_crops(
                [crop[index] for crop in crops],
                flows.views[index],
                [each.flows[index] for each in shown.values()],
                self.num_positions,
                None
                if flows.others is None
                else [each.others[index] for each in shown.values()],
            )
            for index in chosen
        ]
        figure = draw_matching_figure(pairs, list(shown))
        runner.visualizer.add_image(
            'matching', to_image(figure, self.dpi), step=runner.iter
        )

    @staticmethod
    def _crops(runner: Runner, images: Tensor) -> np.ndarray:
        """RGB, uint8, (B, H, W, 3)."""
        preprocessor = unwrap_model(runner.model).data_preprocessor
        if preprocessor._channel_conversion:
            images = images.flip(1)
        return images.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def _has_two_views(output: Any) -> bool:
    """Whether it is what ``SelfEMD`` predicts of two views."""
    return isinstance(output, DataSample) and all(
        len(output.get(name, ())) > 1 for name in ('feature_maps', 'views')
    )


def _places(flows: BatchFlows) -> list[list[tuple]]:
    """Where the views were cut, whatever was done to their colours."""
    return [
        [(tuple(view['box']), view['flip'], view['size']) for view in pair]
        for pair in flows.views
    ]
