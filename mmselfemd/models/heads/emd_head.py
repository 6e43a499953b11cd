"""Predictor, marginals, transport and loss."""

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmselfemd.registry import MODELS
from mmselfemd.transport import (
    cosine_cost,
    mean_marginals,
    uniform_marginals,
    vector_marginals,
)
from mmselfemd.transport.emd import GRADIENTS, flow_similarity

from ..embedding import Embedding
from ..norm_statistics import running_statistics
from ..pointwise_mlp import dense_branch
from .byol_head import BYOLHead, Pair


@MODELS.register_module()
class EMDHead(BYOLHead):
    r"""Predicts the key of one view from another and compares by EMD.

    BYOL's loss of the vectors is kept beside it.

    Args:
        in_channels (int): Channels of nodes and vectors. Defaults to 256.
        hidden_channels (int): Channels of the predictors' hidden layer.
            Defaults to 4096.
        marginals (str): Weights of the nodes: ``vector`` (Eq. 15), ``mean``
            (Eq. 14) or ``uniform``. Defaults to 'vector'.
        weight_nodes (str): What :math:`x_i` is in Eq. 15. ``vector``: the
            vector branch applied to the node's own features, so that both
            sides of :math:`x_i^T v_y` lie in one space; ``dense``: the node
            itself, as printed. Defaults to 'vector'.
        gamma (float): Strength of the entropy, Eq. 4. Defaults to 0.05.
        max_iters (int): Number of Sinkhorn iterations. Defaults to 100.
        gradient (str): How the similarity is differentiated, see
            :func:`mmselfemd.transport.emd_similarity`.
            Defaults to 'envelope'.
        marginal_gradient (bool): Whether the gradient goes through the
            weights of the nodes too. With ``weight_nodes='vector'`` it
            reaches :math:`v_x` alone, by the weights of the key's nodes: node
            vectors carry none. Defaults to False.
        byol_weight (float): Weight lambda of the loss of the vectors.
            Defaults to 1.0.
        branch (str): ``parallel``: nodes and vectors have a predictor each;
            ``shared``: one serves both. Defaults to 'parallel'.
        pyramid (dict, optional): Config of a pyramid, such as ``SPCNeck``,
            that comes after the predictor instead of before it; the neck
            gives maps then. Defaults to None.
        norm_cfg (dict): Norm of the predictors' hidden layers.
            Defaults to ``dict(type='SyncBN')``.
        view_pairs (Sequence[tuple[int, int]], optional): See
            :class:`BYOLHead`. Defaults to None.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Attributes:
        flow_is_own (bool): Whether the loss goes along the flow between what
            it compares, which can then be measured again.

    Raises:
        ValueError: If an option is not one of those above.
    """

    flow_is_own = True

    def __init__(
        self,
        in_channels: int = 256,
        hidden_channels: int = 4096,
        marginals: str = 'vector',
        weight_nodes: str = 'vector',
        gamma: float = 0.05,
        max_iters: int = 100,
        gradient: str = 'envelope',
        marginal_gradient: bool = False,
        byol_weight: float = 1.0,
        branch: str = 'parallel',
        pyramid: dict | None = None,
        norm_cfg: dict = dict(type='SyncBN'),
        view_pairs: Sequence[tuple[int, int]] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        channels = (in_channels, hidden_channels)
        super().__init__(*channels, norm_cfg, view_pairs, init_cfg)
        for name, value, choices in (
            ('marginals', marginals, ('vector', 'mean', 'uniform')),
            ('weight_nodes', weight_nodes, ('vector', 'dense')),
            ('gradient', gradient, GRADIENTS),
        ):
            if value not in choices:
                raise ValueError(
                    f'{name} must be one of {choices}, but got {value!r}'
                )
        self.marginals = marginals
        self.weight_nodes = weight_nodes
        self.marginal_gradient = marginal_gradient
        self.transport_cfg = dict(
            gamma=gamma,
            max_iters=max_iters,
            gradient=gradient,
            marginal_gradient=marginal_gradient,
        )
        self.byol_weight = byol_weight
        self.pyramid = (
            nn.Identity() if pyramid is None else MODELS.build(pyramid)
        )
        self.dense_predictor = dense_branch(
            branch,
            self.vector_predictor,
            *channels,
            in_channels,
            norm_cfg=norm_cfg,
        )

    def predict(self, query: Embedding) -> Embedding:
        """Predict the key's nodes and vector; on the query side only.

        Args:
            query (Embedding): Nodes (B, N, C), or a map (B, C, H, W), and
                vector (B, C).

        Returns:
            Embedding: Predicted nodes and vector, of the same shapes.
        """
        node_vectors = query.node_vectors
        if node_vectors is not None:
            with running_statistics(self.vector_predictor):
                node_vectors = self.vector_predictor.on_nodes(node_vectors)
        return Embedding(
            self.dense_predictor.on_nodes(query.nodes),
            super().predict(query).vector,
            node_vectors,
        )

    def loss(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> dict[str, Tensor]:
        """Losses of all pairs of a query and a key.

        Each is twice the mean over the pairs, see :meth:`BYOLHead.loss`.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views, in the same
                order, without gradient.

        Returns:
            dict[str, Tensor]: ``loss_byol`` (times lambda), ``loss_emd``, and
            for the log the shares of transport problems that converged
            (``converged_fraction``) and in which one side had no weight at
            all, so that it became uniform (``uniform_fallback_fraction``),
            and of nodes with weight zero (``zero_weight_fraction``).
        """
        loss_byol = super().loss(queries, keys)['loss_byol']
        groups = self.transport_groups(queries, keys)
        emd, converged, no_weight, fallback = map(
            torch.cat, zip(*map(self.emd_loss, groups), strict=True)
        )
        return dict(
            loss_byol=self.byol_weight * loss_byol,
            loss_emd=2 * emd.mean(),
            converged_fraction=converged.float().mean(),
            zero_weight_fraction=no_weight.mean(),
            uniform_fallback_fraction=fallback.float().mean(),
        )

    def transport_groups(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> list[list[Pair]]:
        """What is compared, in as few transport calls as can be.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views.

        Returns:
            list[list[tuple[Embedding, Embedding]]]: Pairs of a query and a
            key, grouped by their numbers of nodes.

        Raises:
            ValueError: If there are maps where nodes should be.
        """
        queries, keys = (
            [self.pyramid(view) for view in views] for views in (queries, keys)
        )
        groups = defaultdict(list)
        for query, key in self.pairs(queries, keys):
            if query.nodes.dim() != 3:
                raise ValueError(
                    'EMDHead needs nodes (B, N, C), but got maps '
                    f'{tuple(query.nodes.shape)}: put SPCNeck last in the '
                    'neck, or set pyramid=dict(type="SPCNeck") in EMDHead'
                )
            count = query.nodes.shape[1], key.nodes.shape[1]
            groups[count].append((query, key))
        return list(groups.values())

    def emd_loss(self, pairs: Sequence[Pair]) -> tuple[Tensor, ...]:
        """Eq. 11-13 for pairs of equal node counts, in one transport call.

        Args:
            pairs (Sequence[tuple[Embedding, Embedding]]): Predictions with
                N nodes each and keys with M nodes each.

        Returns:
            tuple[Tensor, ...]: For each pair and image, (P * B,): the loss in
            [0, 4], whether the transport converged, the share of nodes with
            weight zero, and whether all nodes of one side have it.
        """
        cost, source, target = self.transport_problems(pairs)
        similarity, plan = flow_similarity(
            cost, source, target, **self.transport_cfg
        )
        no_weight = (torch.cat((source, target), dim=1) == 0).float().mean(1)
        fallback = (source == 0).all(1) | (target == 0).all(1)
        return 2 - 2 * similarity, plan.converged, no_weight, fallback

    def transport_problems(
        self, pairs: Sequence[Pair]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Costs and weights of pairs of equal node counts, Eq. 11, 14, 15.

        Args:
            pairs (Sequence[tuple[Embedding, Embedding]]): Predictions with
                N nodes each and keys with M nodes each.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Costs (P * B, N, M), and weights of
            the query's (P * B, N) and of the key's nodes (P * B, M).
        """
        query, key = (_stacked(side) for side in zip(*pairs, strict=True))
        with torch.set_grad_enabled(
            self.marginal_gradient and torch.is_grad_enabled()
        ):
            source = self.node_weights(query, key)
            target = self.node_weights(key, query)
        return cosine_cost(query.nodes, key.nodes), source, target

    def node_weights(self, view: Embedding, other: Embedding) -> Tensor:
        """Weights of the nodes of one view, given the other.

        Args:
            view (Embedding): The view that is weighted.
            other (Embedding): The view that it is compared with.

        Returns:
            Tensor: Weights >= 0, (B, N), not normalised.

        Raises:
            ValueError: If ``weight_nodes='vector'`` and the neck does not
                give what it needs.
        """
        if self.marginals == 'uniform':
            return uniform_marginals(view.nodes)
        if self.marginals == 'mean':
            return mean_marginals(view.nodes, other.nodes)
        if self.weight_nodes == 'dense':
            return vector_marginals(view.nodes, other.vector)
        if view.node_vectors is None:
            raise ValueError(
                "EMDHead(weight_nodes='vector') needs a neck that gives "
                'node vectors: set node_vectors=True in DenseProjectionNeck'
            )
        return vector_marginals(view.node_vectors, other.vector)


def _stacked(embeddings: Sequence[Embedding]) -> Embedding:
    """Embeddings of several views as one larger batch."""
    return Embedding(
        *(
            None if parts[0] is None else torch.cat(parts)
            for parts in zip(*embeddings, strict=True)
        )
    )
