"""Tells whether the transport of the loss does what it should."""

from collections.abc import Sequence
from importlib.util import find_spec

from mmengine.runner import Runner
from torch import Tensor, nn

from mmselfemd.engine.model import unwrap_model
from mmselfemd.evaluation.matching import pool_results
from mmselfemd.evaluation.transport import describe_transport, score_own_flow
from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.registry import HOOKS
from mmselfemd.transport import exact_transport, sinkhorn

from .head_monitor_hook import HeadMonitorHook


@HOOKS.register_module()
class TransportMonitorHook(HeadMonitorHook):
    """Measures the transport of the first pair of views.

    It logs, as means over the images of this process, what
    :func:`describe_transport` gives under ``transport/``, and

    - ``transport/own_flow``: the matching accuracy of the loss's own flow,
      heads, marginals and all nodes included, and ``own_flow_chance``, where
      a predictor that has learnt nothing yet is;
    - ``transport/excess_cost``: by how much the flow costs more than the
      cheapest one, without entropy, would, as a share. This needs POT, an
      optional dependency.

    That as many converged and have weight zero as they do, the head logs at
    each iteration itself.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 50.
        num_exact (int): How many problems are solved without entropy.
            Defaults to 4.
    """

    prefix = 'transport'
    head_type = EMDHead

    def __init__(self, interval: int = 50, num_exact: int = 4) -> None:
        super().__init__(interval)
        self.num_exact = num_exact

    def measure(
        self,
        runner: Runner,
        queries: Sequence[Embedding],
        keys: Sequence[Embedding],
        data_batch: dict,
    ) -> dict[str, float]:
        """Solve the first pair's problems again and describe them.

        Args:
            runner (Runner): The runner of the training process.
            queries (Sequence[Embedding]): Predictions of all views.
            keys (Sequence[Embedding]): Keys of the first views.
            data_batch (dict): The batch, for the geometry of its views.

        Returns:
            dict[str, float]: The figures.
        """
        model = unwrap_model(runner.model)
        head = model.head
        pair = head.pair_numbers(len(queries), len(keys))[0]
        query, key = (
            head.pyramid(views[view])
            for views, view in zip((queries, keys), pair, strict=True)
        )
        problems = head.transport_problems([(query, key)])
        settings = {k: head.transport_cfg[k] for k in ('gamma', 'max_iters')}
        plan = sinkhorn(*problems, **settings)
        figures = describe_transport(*problems, plan)
        figures |= self._excess_cost(problems, plan.flow)
        figures |= _own_flow(model, plan.flow, data_batch, pair)
        return figures

    def _excess_cost(self, problems: tuple, flow: Tensor) -> dict[str, float]:
        if find_spec('ot') is None:  # POT
            return {}
        few = [tensor[: self.num_exact] for tensor in problems]
        cheapest = (few[0] * exact_transport(*few).flow).sum((1, 2)).mean()
        entropic = (few[0] * flow[: self.num_exact]).sum((1, 2)).mean()
        return dict(excess_cost=float(entropic / cheapest - 1))


def _own_flow(
    model: nn.Module, flow: Tensor, data_batch: dict, pair: Sequence[int]
) -> dict[str, float]:
    """Where the flow goes, if the views' geometry and nodes are known."""
    pyramid = next(
        (m for m in model.modules() if isinstance(m, SPCNeck)), None
    )
    samples = data_batch['data_samples']
    if pyramid is None or not all('views' in sample for sample in samples):
        return {}
    views = [[sample.views[view] for view in pair] for sample in samples]
    results = score_own_flow(flow, views, pyramid)
    if not any(result.num_nodes for result in results):
        return {}  # no two views overlap
    pooled = pool_results(results)
    return dict(own_flow=pooled.accuracy, own_flow_chance=pooled.chance)
