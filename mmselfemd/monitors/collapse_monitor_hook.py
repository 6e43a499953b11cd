"""Notices when outputs do not tell images, or places in them, apart."""

import torch
from mmengine.dist import all_gather
from mmengine.runner import Runner
from torch import Tensor

from mmselfemd.evaluation.collapse import (
    NodeSpread,
    node_spread,
    relative_rank,
    spread,
)
from mmselfemd.models.embedding import Embedding
from mmselfemd.registry import HOOKS

from .head_monitor_hook import HeadMonitorHook, Views


@HOOKS.register_module()
class CollapseMonitorHook(HeadMonitorHook):
    """Measures how the outputs for different images, and nodes, differ.

    Without negative pairs a network may lower the loss by giving the same
    for everything; or nodes that tell no more than where they lie, or of
    which image they are. Of the first view it logs

    - ``collapse/vector_spread``, ``collapse/dense_spread``: standard
      deviation of the normalised keys, 0 where they are all the same and 1
      where they point everywhere alike; ``vector`` are the vectors of all
      processes, ``dense`` the nodes of this one;
    - ``collapse/vector_rank``, ``collapse/dense_rank``: how many directions
      they make use of, as a share of what isotropic outputs would;
    - ``collapse/predicted_spread``: that of the nodes which the head
      predicts;
    - ``collapse/dense_spread_within``, ``collapse/dense_spread_across``, and
      so for ``predicted``: spread within an image, and across images at one
      position, see :class:`mmselfemd.evaluation.collapse.NodeSpread`.

    It warns of one thing at a time: of keys' nodes that are the same for
    everything; else of predicted nodes that depend on their position alone,
    or else are the same all over an image; else of vectors that are the same
    for everything, as they are too where nodes depend on position alone.
    Keys need not be asked what the predicted nodes depend on: what a
    pointwise predictor tells apart, the query's nodes do too, and the keys
    follow the query.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 50.
        min_spread (float): Keys that spread less than this have collapsed.
            Defaults to 0.1.
        begin (int, optional): No warning before this iteration, and ever
            longer pauses after each. Defaults to None: the end of the
            learning rate's warm-up, or 500 without one.
        min_across (float): Predicted nodes whose spread across images at one
            position is less than this share of their whole spread depend on
            position alone. Defaults to 0.1.
        min_within (float): Predicted nodes whose spread within an image is
            less than this share of their whole spread, or of the keys'
            spread within an image, are the same all over it. Ours: with
            ``configs/small`` it is a fifth of the keys' after 2 epochs, when
            the flow still goes everywhere, and two thirds after 4.
            Defaults to 0.25.
    """

    prefix = 'collapse'

    def __init__(
        self,
        interval: int = 50,
        min_spread: float = 0.1,
        begin: int | None = None,
        min_across: float = 0.1,
        min_within: float = 0.25,
    ) -> None:
        super().__init__(interval, begin)
        self.min_spread = min_spread
        self.min_across = min_across
        self.min_within = min_within

    def measure(
        self, runner: Runner, queries: Views, keys: Views, data_batch: dict
    ) -> dict[str, float]:
        """Spread and rank of the first view."""
        vectors = torch.cat(all_gather(keys[0].vector))
        figures = dict(
            vector_spread=spread(vectors), vector_rank=relative_rank(vectors)
        )
        if keys[0].nodes is None:
            self._judge_vectors(runner, figures['vector_spread'])
            return figures
        predicted, dense = map(_nodes, (queries[0], keys[0]))
        figures['dense_rank'] = relative_rank(dense.flatten(0, 1))
        spreads = dict(
            predicted=node_spread(predicted), dense=node_spread(dense)
        )
        for name, parts in spreads.items():
            figures[f'{name}_spread'] = parts.whole
            figures[f'{name}_spread_within'] = parts.within
            figures[f'{name}_spread_across'] = parts.across
        if not self._judge_nodes(runner, **spreads):
            self._judge_vectors(runner, figures['vector_spread'])
        return figures

    def _judge_vectors(self, runner: Runner, whole: float) -> None:
        if whole < self.min_spread:
            self._warn_of_collapse(runner, 'vector', whole)

    def _judge_nodes(
        self, runner: Runner, predicted: NodeSpread, dense: NodeSpread
    ) -> bool:
        """Warn of the first thing that is wrong; the rest follows from it.

        Returns:
            bool: Whether something is.
        """
        whole, within, across = predicted
        if dense.whole < self.min_spread:
            self._warn_of_collapse(runner, 'dense', dense.whole)
        elif whole >= self.min_spread and across < self.min_across * whole:
            self.warn(
                runner,
                'position',
                'The predicted nodes depend on their position alone: spread '
                f'{across:.3f} across images at one position, of {whole:.3f} '
                'in all. What is matched by position tells nothing of the '
                'images, though the losses fall. Try crops that have fewer '
                'positions in common (a smaller least scale, and flips, in '
                'CutViews), a lower learning rate or a longer warm-up; '
                'compare transport/own_flow with '
                'transport/own_flow_same_position.',
            )
        elif within < self.min_within * max(whole, dense.within):
            self.warn(
                runner,
                'image',
                'The predicted nodes are nearly the same all over an image: '
                f'spread {within:.3f} within an image, where the keys have '
                f'{dense.within:.3f}, and {whole:.3f} in all. The flow cannot '
                'tell them apart yet. Early in a run they draw together like '
                'this, and part again after a few epochs: train on. If they '
                'do not, try a smaller gamma (and more max_iters) in the '
                'head, a higher learning rate, or more epochs.',
            )
        else:
            return False
        return True

    def _warn_of_collapse(
        self, runner: Runner, branch: str, value: float
    ) -> None:
        self.warn(
            runner,
            branch,
            f'The outputs of the {branch} branch are nearly the same for '
            f'everything: spread {value:.3f}, where 0 is collapsed and 1 '
            'isotropic. The losses may fall all the same and mean nothing. '
            'Try a lower learning rate or a longer warm-up, a larger batch, '
            "a key momentum closer to 1, and branch='parallel'.",
        )


def _nodes(embedding: Embedding) -> Tensor:
    """Nodes (B, N, C), which may be there as a map (B, C, H, W)."""
    nodes = embedding.nodes
    return nodes if nodes.dim() == 3 else nodes.flatten(2).mT
