"""The network's own flow, between the nodes that have a partner."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import KnownPairsHead
from mmselfemd.registry import MODELS
from mmselfemd.transport import sinkhorn


@MODELS.register_module()
class PartneredFlowHead(KnownPairsHead):
    """Leaves out the nodes that :class:`KnownPairsHead` pairs with none.

    Between the others the flow is that of :class:`EMDHead`, by its weights,
    gamma and number of iterations: the same nodes, without the knowledge which
    belong together. It tells which of the two makes the difference. For a
    study of why the flow adds little.
    """

    @torch.no_grad()
    def flow(self, query: int, key: int, pair: Sequence[Embedding]) -> Tensor:
        """Flow between the nodes that have a partner in the other view.

        Args:
            query (int): Number of the view that predicts.
            key (int): Number of the view that is predicted.
            pair (Sequence[Embedding]): Prediction and key.

        Returns:
            Tensor: Flow, (B, N, M), without gradient; none where the views do
            not overlap, or no node with a partner has a weight.

        Raises:
            RuntimeError: If the model is no :class:`KnownPairs`.
        """
        cost, source, target = self.transport_problems([pair])
        partners = (super().flow(query, key, pair) > 0).to(cost.device)
        source = source * partners.any(2)
        target = target * partners.any(1)
        plan = sinkhorn(
            cost,
            source,
            target,
            gamma=self.transport_cfg['gamma'],
            max_iters=self.transport_cfg['max_iters'],
        )
        # Where one side has no weight at all, the plan takes uniform ones.
        has_weight = source.any(1) & target.any(1)
        return plan.flow * has_weight[:, None, None]
