"""Pictures of matches on fixed images, as training goes on."""

import zlib
from copy import deepcopy

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dataset import default_collate
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from mmselfemd.engine.model import unwrap_model
from mmselfemd.errors import UserValueError
from mmselfemd.evaluation import match_batch
from mmselfemd.random_state import kept_random_state
from mmselfemd.registry import HOOKS
from mmselfemd.visualization import (
    draw_flow_lines,
    draw_matching_figure,
    figure_to_rgb,
    matching_pair,
    most_overlapping,
    read_rgb,
)
from mmselfemd.visualization.view_pipeline import (
    backend_args_of,
    view_pipeline,
    without_colour_changes,
)

_KEY = 'matching_pictures'


@HOOKS.register_module()
class MatchingPictureHook(Hook):
    """Draw where flow goes between views of held-out images (Fig. 5).

    The images and their views are drawn once, when training starts, and stay
    the same: the first ``num_images`` of a data set, cut as in training but
    without colour changes. The pairs of views that overlap most are drawn,
    with the flow at iteration 0 beside the present one, as heat maps
    (``matching_heat``) and as lines (``matching_lines``). They go to
    ``runner.visualizer``, and so to whatever it writes to: files, TensorBoard,
    W&B.

    The flow is that of matching accuracy: a copy of the query backbone, the
    norms with the statistics of these images. It is computed on the first
    process alone; parameters, buffers, modes and random generators are left
    as they are. The flow of iteration 0 is kept in the checkpoints, so that
    a resumed run has it too.

    Example::

        default_hooks = dict(
            matching_picture=dict(
                type='MatchingPictureHook',
                dataset=dict(
                    type='UnlabelledDataset', data_root='data/held_out'),
                interval=10))

    Args:
        dataset (dict): Config of a data set of images. Where it has no
            ``pipeline`` it gets that of the training data, with two views and
            without colour changes.
        interval (int): Epochs (or iterations) between two pictures; the last
            one always counts. Defaults to 1.
        by_epoch (bool): Whether ``interval`` counts epochs. Defaults to True.
        num_images (int): Images whose statistics the norms use. Defaults to
            32.
        num_pairs (int): Pairs of views that are drawn. Defaults to 4.
        seed (int): Of the views. Defaults to 0.

    Raises:
        UserValueError: If a number is not positive.
    """

    # After the momentum update; ahead of the checkpoint hook (VERY_LOW).
    priority = 'LOW'

    def __init__(
        self,
        dataset: dict,
        interval: int = 1,
        by_epoch: bool = True,
        num_images: int = 32,
        num_pairs: int = 4,
        seed: int = 0,
    ) -> None:
        for name, value in dict(
            interval=interval, num_images=num_images, num_pairs=num_pairs
        ).items():
            if value < 1:
                raise UserValueError(f'{name}: expected >= 1, got {value}')
        self.dataset = dataset
        self.interval = interval
        self.by_epoch = by_epoch
        self.num_images = num_images
        self.num_pairs = num_pairs
        self.seed = seed
        self._batch: dict = {}
        self._chosen: list[int] = []
        self._images: list[np.ndarray] = []
        self._first_flows: np.ndarray | None = None
        self._loaded: dict = {}

    def before_train(self, runner: Runner) -> None:
        """Draw images and views; keep the flow of iteration 0."""
        if not is_main_process():
            return
        with kept_random_state(self.seed):
            self._batch = self._build_batch(runner)
            flows, views = self._match(runner)
        num_cells = round(flows.shape[-1] ** 0.5)
        self._chosen = most_overlapping(views, num_cells, self.num_pairs)
        samples = self._batch['data_samples']
        backend_args = backend_args_of(self._dataset_config(runner).pipeline)
        self._images = [
            read_rgb(samples[i].img_path, backend_args) for i in self._chosen
        ]
        if runner.iter == 0:
            self._first_flows = flows[self._chosen]
        elif self._loaded.get('views') == self._fingerprint():
            self._first_flows = np.asarray(self._loaded['flows'])
        else:
            runner.logger.warning(
                'MatchingPictureHook: the checkpoint does not hold the flow '
                'of iteration 0 on these images; the pictures go without it.'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Draw, if the interval counts iterations."""
        if not self.by_epoch and (
            self.every_n_train_iters(runner, self.interval)
            or self.is_last_train_iter(runner)
        ):
            self._draw(runner, runner.iter + 1)

    def after_train_epoch(self, runner: Runner) -> None:
        """Draw, if the interval counts epochs."""
        if self.by_epoch and (
            self.every_n_epochs(runner, self.interval)
            or self.is_last_train_epoch(runner)
        ):
            self._draw(runner, runner.iter)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the flow of iteration 0 into the checkpoint."""
        if self._first_flows is not None:
            checkpoint[_KEY] = dict(
                flows=torch.from_numpy(self._first_flows),
                views=self._fingerprint(),
            )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take it back on a resume; other runs start with their own."""
        if runner._resume:
            self._loaded = checkpoint.get(_KEY) or {}

    def _build_batch(self, runner: Runner) -> dict:
        """The same images and views each time."""
        with DefaultScope.overwrite_default_scope('mmselfemd'):
            dataset = DATASETS.build(self._dataset_config(runner))
        count = min(self.num_images, len(dataset))
        return default_collate([dataset[index] for index in range(count)])

    def _dataset_config(self, runner: Runner) -> ConfigDict:
        cfg = ConfigDict(self.dataset)
        if 'pipeline' not in cfg:
            cfg.pipeline = without_colour_changes(view_pipeline(runner.cfg))
        return cfg

    def _fingerprint(self) -> int:
        """A number that changes with the pixels of the views."""
        pixels = [view.numpy().tobytes() for view in self._batch['inputs'][:2]]
        return zlib.crc32(b''.join(pixels))

    def _match(self, runner: Runner) -> tuple[np.ndarray, list[list[dict]]]:
        """Flows (B, N, N) of the present network, and the views."""
        model = unwrap_model(runner.model)
        # SyncBN would wait here for processes that do not come.
        backbone = revert_sync_batchnorm(deepcopy(model.backbone))
        with kept_random_state():
            return match_batch(backbone, model.data_preprocessor, self._batch)

    def _draw(self, runner: Runner, step: int) -> None:
        """Hand two figures to the visualizer, on the first process."""
        if not is_main_process():
            return
        flows, views = self._match(runner)
        flows = {f'iteration {step}': flows[self._chosen]}
        if self._first_flows is not None:
            flows = {'iteration 0': self._first_flows} | flows
        if not all(np.isfinite(flow).all() for flow in flows.values()):
            runner.logger.warning(
                'MatchingPictureHook: the flow is not finite; no picture of '
                f'iteration {step}.'
            )
            return
        pairs = [
            matching_pair(
                image, views[index], [flow[row] for flow in flows.values()]
            )
            for row, (index, image) in enumerate(
                zip(self._chosen, self._images, strict=True)
            )
        ]
        for name, draw in (
            ('matching_heat', draw_matching_figure),
            ('matching_lines', draw_flow_lines),
        ):
            picture = figure_to_rgb(draw(pairs, list(flows)), dpi=80)
            runner.visualizer.add_image(name, picture, step)
