"""Matching accuracy as a metric of mmengine's validation."""

import logging
from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmselfemd.registry import METRICS

from .matching import (
    MatchingResult,
    match_views,
    oracle_flow,
    pool_results,
    score_matching,
    true_partners,
)


@METRICS.register_module()
class MatchingAccuracy(BaseMetric):
    """How well a backbone finds the same place in two views; no labels.

    It is measured on the last map of the backbone, without any head, on the
    first two views of held-out images, see :func:`measure_matching`. It logs
    ``matching/accuracy``, what a random node would reach
    (``matching/chance``) and what a network that knew the answer would reach
    (``matching/best``). ``InitialValidationHook`` adds what the same network
    reached before training.

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
        flows = match_views(map1, map2, self.gamma).cpu().numpy()
        views = [sample['views'][:2] for sample in data_samples]
        partners = true_partners(flows.shape[-1], views)
        oracle = oracle_flow(partners, self.gamma)
        self.results += score_matching(flows, partners, oracle)

    def compute_metrics(self, results: Sequence[tuple]) -> dict[str, float]:
        """Pool the images of all processes.

        Args:
            results (Sequence[tuple]): Fields of a MatchingResult an image.

        Returns:
            dict[str, float]: ``accuracy``, ``chance`` and ``best``.
        """
        # On their way through mmengine named tuples lose their names.
        results = [MatchingResult(*result) for result in results]
        if not any(result.num_nodes for result in results):
            print_log(
                f'The two views of none of the {len(results)} held-out images '
                'overlap: matching accuracy is unknown. Take more images.',
                logger='current',
                level=logging.WARNING,
            )
            return dict.fromkeys(('accuracy', 'chance', 'best'), float('nan'))
        pooled = pool_results(results)
        return dict(
            accuracy=pooled.accuracy, chance=pooled.chance, best=pooled.best
        )
