"""A loss of the flow that grows at the beginning of the run."""

from collections.abc import Sequence
from typing import Any

from mmengine.logging import MessageHub
from torch import Tensor

from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.registry import MODELS


@MODELS.register_module()
class FlowWarmUpHead(EMDHead):
    """:class:`EMDHead` whose ``loss_emd`` grows linearly from 0.

    For a study of why the flow adds little: an untrained network's flow
    matches nothing, and may teach nothing either.

    Args:
        *args: Those of :class:`EMDHead`.
        warm_up (float): How long it grows, as a share of the run, above 0 and
            at most 1. Defaults to 0.25.
        **kwargs: Those of :class:`EMDHead`.

    Raises:
        ValueError: If ``warm_up`` is not in that range.
    """

    def __init__(
        self, *args: Any, warm_up: float = 0.25, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if not 0 < warm_up <= 1:
            raise ValueError(
                f'warm_up must be above 0 and at most 1, but got {warm_up}'
            )
        self.warm_up = warm_up

    def loss(
        self, queries: Sequence[Embedding], keys: Sequence[Embedding]
    ) -> dict[str, Tensor]:
        """As of :class:`EMDHead`, with the flow's loss as far as it has grown.

        Args:
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views.

        Returns:
            dict[str, Tensor]: Losses, and figures for the log.
        """
        losses = super().loss(queries, keys)
        return losses | dict(loss_emd=self.growth() * losses['loss_emd'])

    def growth(self) -> float:
        """How far the weight of the flow's loss has grown, in [0, 1].

        Returns:
            float: 1 where no run tells how far it is.
        """
        hub = MessageHub.get_current_instance()
        iteration, end = hub.get_info('iter'), hub.get_info('max_iters')
        if iteration is None or not end:
            return 1.0
        return min(1.0, iteration / (self.warm_up * end))
