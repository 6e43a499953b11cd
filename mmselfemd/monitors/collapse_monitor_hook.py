"""Notices when the key encoder gives the same for every image."""

import logging
from collections.abc import Sequence

import torch
from mmengine.dist import all_gather
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmselfemd.evaluation.collapse import relative_rank, spread
from mmselfemd.models.embedding import Embedding
from mmselfemd.registry import HOOKS

from .head_monitor_hook import HeadMonitorHook


@HOOKS.register_module()
class CollapseMonitorHook(HeadMonitorHook):
    """Measures how the keys of different images, and nodes, differ.

    Without negative pairs a network may lower the loss by giving the same
    for everything. Of the keys of the first view it logs, for the vectors of
    all processes and for the nodes of this one,

    - ``collapse/vector_spread``, ``collapse/dense_spread``: standard
      deviation of the normalised outputs, 0 where they are all the same and
      1 where they point everywhere alike;
    - ``collapse/vector_rank``, ``collapse/dense_rank``: how many directions
      they make use of, as a share of what isotropic outputs would.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 50.
        min_spread (float): A spread below this is warned of; at first at
            once, then after ever longer pauses. Defaults to 0.1.
        begin (int): No warning before this iteration: a network starts from
            outputs that differ little. Defaults to 500.
    """

    prefix = 'collapse'

    def __init__(
        self, interval: int = 50, min_spread: float = 0.1, begin: int = 500
    ) -> None:
        super().__init__(interval)
        self.min_spread = min_spread
        self._next_warning = dict(vector=begin, dense=begin)
        self._pause = dict(vector=max(begin, 1), dense=max(begin, 1))

    def measure(
        self,
        runner: Runner,
        queries: Sequence[Embedding],
        keys: Sequence[Embedding],
        data_batch: dict,
    ) -> dict[str, float]:
        """Spread and rank of the first view's keys.

        Args:
            runner (Runner): The runner of the training process.
            queries (Sequence[Embedding]): Not used.
            keys (Sequence[Embedding]): Keys of the first views.
            data_batch (dict): Not used.

        Returns:
            dict[str, float]: The figures.
        """
        outputs = dict(vector=torch.cat(all_gather(keys[0].vector)))
        nodes = keys[0].nodes
        if nodes is not None:
            # From nodes (B, N, C), or from a map (B, C, H, W).
            nodes = nodes if nodes.dim() == 3 else nodes.flatten(2).mT
            outputs['dense'] = nodes.flatten(0, 1)
        figures = {}
        for branch, output in outputs.items():
            figures[f'{branch}_spread'] = spread(output)
            figures[f'{branch}_rank'] = relative_rank(output)
            self._warn(runner, branch, figures[f'{branch}_spread'])
        return figures

    def _warn(self, runner: Runner, branch: str, value: float) -> None:
        is_time = runner.iter >= self._next_warning[branch]
        if value >= self.min_spread or not is_time:
            return
        self._pause[branch] *= 2
        self._next_warning[branch] = runner.iter + self._pause[branch]
        print_log(
            f'The outputs of the {branch} branch are nearly the same for '
            f'everything: spread {value:.3f}, where 0 is collapsed and 1 '
            'isotropic. The losses may fall all the same and mean nothing. '
            'Try a lower learning rate or a longer warm-up, a larger batch, '
            "a key momentum closer to 1, and branch='parallel'.",
            logger='current',
            level=logging.WARNING,
        )
