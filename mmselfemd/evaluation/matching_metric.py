"""Matching accuracy as a metric of mmengine's validation."""

import logging
from collections.abc import Sequence
from math import isnan, nan

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmselfemd.registry import METRICS

from .backbone_matching import score_maps
from .bootstrap import Estimate, bootstrap
from .matching import MatchingResult, matching_figures, matching_sums


@METRICS.register_module()
class MatchingAccuracy(BaseMetric):
    """How well a backbone finds the same place in two views; no labels.

    It is measured on the last map of the backbone, without any head, on the
    first two views of held-out images, see :func:`measure_matching`. Under
    ``matching/`` it logs the shares of :class:`MatchingResult` and ``gain``,
    the accuracy less that with the second view of another image: the figure
    to choose a checkpoint by. Behind the names of those that depend on the
    network stands, with ``_error``, the standard error by a bootstrap over
    the images. ``InitialValidationHook`` adds what the same network reached
    before training.

    Args:
        gamma (float): Strength of the entropy. Defaults to 0.05.
        collect_device (str): See ``BaseMetric``. Defaults to 'cpu'.
        prefix (str, optional): Comes before each name.
            Defaults to 'matching'.
    """

    default_prefix = 'matching'

    def __init__(
        self,
        gamma: float = 0.05,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.gamma = gamma

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Match the views of a batch of images.

        Args:
            data_batch (dict): Not used.
            data_samples (Sequence[dict]): For each image ``feature_maps``
                (C, H, W) of its views, and their geometry ``views``.
        """
        map1, map2 = (
            torch.stack([sample['feature_maps'][i] for sample in data_samples])
            for i in (0, 1)
        )
        views = [sample['views'][:2] for sample in data_samples]
        self.results += score_maps(map1, map2, views, self.gamma)

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        """Pool the images of all processes.

        Args:
            results (Sequence[tuple]): Fields of a MatchingResult an image.

        Returns:
            dict[str, float]: ``accuracy``, ``same_position``,
            ``other_image``, ``gain``, ``chance`` and ``best``, and the
            ``_error`` of those that depend on the network. NaN where
            unknown.
        """
        # On their way through mmengine named tuples lose their names.
        results = [MatchingResult(*result) for result in results]
        nothing = [MatchingResult(*[nan] * 5, num_nodes=0)]
        estimates = bootstrap(
            matching_sums(results or nothing), matching_figures
        )
        _warn_of_unknown(len(results), estimates)
        return {name: e.value for name, e in estimates.items()} | {
            f'{name}_error': estimates[name].error
            for name in ('accuracy', 'other_image', 'gain')
        }


def _warn_of_unknown(num_images: int, estimates: dict[str, Estimate]) -> None:
    if not num_images:
        message = (
            'There was no held-out image: matching accuracy is unknown. Let '
            'val_dataloader have as many as one batch, or drop_last=False.'
        )
    elif isnan(estimates['accuracy'].value):
        message = (
            f'The two views of none of the {num_images} held-out images '
            'overlap: matching accuracy is unknown. Take more images.'
        )
    elif isnan(estimates['gain'].value):
        message = (
            'No held-out image had another one in its batch: the gain in '
            'matching accuracy is unknown. Let val_dataloader.batch_size be '
            'at least 2.'
        )
    else:
        return
    print_log(message, logger='current', level=logging.WARNING)
