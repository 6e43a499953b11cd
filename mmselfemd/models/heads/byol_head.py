"""BYOL's predictor and loss, for any number of views."""

from collections.abc import Sequence
from itertools import product

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor

from mmselfemd.registry import MODELS
from mmselfemd.transport.precision import full_precision

from ..embedding import Embedding
from ..pointwise_mlp import PointwiseMLP

Pair = tuple[Embedding, Embedding]

_cosine_similarity = full_precision(F.cosine_similarity)


@MODELS.register_module()
class BYOLHead(BaseModule):
    """Predicts the key's vector of one view from another, Sec. 3.1.

    ``SelfEMD`` with this head and ``VectorProjectionNeck`` is BYOL.

    Args:
        in_channels (int): Channels of the vectors. Defaults to 256.
        hidden_channels (int): Channels of the predictor's hidden layer.
            Defaults to 4096.
        norm_cfg (dict): Norm of the predictor's hidden layer.
            Defaults to ``dict(type='SyncBN')``.
        view_pairs (Sequence[tuple[int, int]], optional): Which views are
            compared: the number of a view whose query is taken and of one
            whose key is, from 0. Defaults to None: each query with the key of
            each other view.
        init_cfg (dict, optional): Initialisation. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int = 256,
        hidden_channels: int = 4096,
        norm_cfg: dict = dict(type='SyncBN'),
        view_pairs: Sequence[tuple[int, int]] | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.view_pairs = view_pairs
        self.vector_predictor = PointwiseMLP(
            in_channels, hidden_channels, in_channels, norm_cfg
        )

    def predict(self, query: Embedding) -> Embedding:
        """Predict the key's vector; on the query side only.

        Args:
            query (Embedding): Vector (B, C).

        Returns:
            Embedding: Predicted vector, of the same shape.
        """
        return query._replace(
            vector=self.vector_predictor.on_vectors(query.vector)
        )

    def forward(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> dict[str, Tensor]:
        """:meth:`loss`, as a call, so that forward hooks can watch it.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views.

        Returns:
            dict[str, Tensor]: Losses and what else is logged.
        """
        return self.loss(queries, keys)

    def loss(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> dict[str, Tensor]:
        """Loss of all pairs of a query and a key.

        It is twice the mean over the pairs, so that it does not depend on
        the number of views; with two views it is the two directions summed.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views, in the same
                order, without gradient.

        Returns:
            dict[str, Tensor]: ``loss_byol``.
        """
        losses = [self.byol_loss(*pair) for pair in self.pairs(queries, keys)]
        return dict(loss_byol=2 * torch.cat(losses).mean())

    def byol_loss(self, query: Embedding, key: Embedding) -> Tensor:
        """Eq. 2.

        Args:
            query (Embedding): The prediction.
            key (Embedding): The key.

        Returns:
            Tensor: Losses, (B,), in [0, 4].
        """
        return 2 - 2 * _cosine_similarity(query.vector, key.vector)

    def pairs(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> list[Pair]:
        """The queries and keys that are compared.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views, in the same
                order.

        Returns:
            list[tuple[Embedding, Embedding]]: The pairs.

        Raises:
            ValueError: If ``view_pairs`` names a view that there is not.
        """
        numbers = self.pair_numbers(len(queries), len(keys))
        return [(queries[i], keys[j]) for i, j in numbers]

    def pair_numbers(
        self, num_queries: int, num_keys: int
    ) -> list[tuple[int, int]]:
        """Numbers of the views whose query and key are compared.

        Args:
            num_queries (int): Number of views, which all have a query.
            num_keys (int): Number of views that have a key, the first ones.

        Returns:
            list[tuple[int, int]]: View of the query, view of the key.

        Raises:
            ValueError: If ``view_pairs`` names a view that there is not, or
                there is nothing to compare.
        """
        every = list(product(range(num_queries), range(num_keys)))
        pairs = [(i, j) for i, j in every if i != j]
        if self.view_pairs is not None:
            pairs = [(i, j) for i, j in self.view_pairs]
        if not pairs:
            raise ValueError(
                f'There is nothing to compare: queries of {num_queries} views '
                f'and keys of {num_keys}, view_pairs={self.view_pairs}. Let '
                'the pipeline give two views or more, num_key_views of the '
                'model be at least 1, and view_pairs None or not empty'
            )
        for pair in pairs:
            if pair not in every:
                raise ValueError(
                    f'view_pairs has {pair}, but there are queries of '
                    f'{num_queries} views and keys of {num_keys}, numbered '
                    'from 0'
                )
        return pairs
