"""Tells whether the transport of the loss does what it should."""

from collections.abc import Sequence
from importlib.util import find_spec

from mmengine.runner import Runner
from torch import Tensor, nn

from mmselfemd.engine.model import unwrap_model
from mmselfemd.evaluation.transport import describe_transport, score_own_flow
from mmselfemd.models import SPCNeck
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import EMDHead
from mmselfemd.registry import HOOKS
from mmselfemd.transport import exact_transport, sinkhorn
from mmselfemd.transport.convergence import convergence_monitor

from .head_monitor_hook import HeadMonitorHook, Views


@HOOKS.register_module()
class TransportMonitorHook(HeadMonitorHook):
    """Measures the transport of the first pair of views.

    It logs, as means over the images of this process, what
    :func:`describe_transport` gives under ``transport/``, and

    - ``transport/own_flow``: the matching accuracy of the loss's own flow,
      heads, marginals and all nodes included, and beside it what a flow
      reaches without knowing the content: ``own_flow_chance``,
      ``own_flow_same_position`` and, to the next image of the batch,
      ``own_flow_other_image``, see :func:`score_own_flow`;
    - ``transport/excess_cost``: by how much the flow costs more than the
      cheapest one, without entropy, would, as a share. This needs POT, an
      optional dependency.

    That as many converged and have weight zero as they do, the head logs at
    each iteration itself.

    It warns of a flow that matches nothing: which goes to nearly all nodes
    alike, measurement after measurement.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 50.
        num_exact (int): How many problems are solved without entropy; 0
            leaves ``excess_cost`` out. Defaults to 4.
        begin (int, optional): No warning of what is measured before this
            iteration. Defaults to None: the end of the learning rate's
            warm-up, or 500 without one.
        max_matches (float): A flow that goes to more than this share of the
            key's nodes matches nothing. Defaults to 0.8.
        patience (int): So many measurements in a row make a warning.
            Defaults to 3.
    """

    prefix = 'transport'
    head_type = EMDHead

    def __init__(
        self,
        interval: int = 50,
        num_exact: int = 4,
        begin: int | None = None,
        max_matches: float = 0.8,
        patience: int = 3,
    ) -> None:
        super().__init__(interval, begin)
        self.num_exact = num_exact
        self.max_matches = max_matches
        self.patience = patience
        self._blurred_in_a_row = 0

    def before_train(self, runner: Runner) -> None:
        """Begin to watch the head, and the iterations of the transport."""
        super().before_train(runner)
        # A run before in this process may have been warned of too few.
        convergence_monitor.reset()

    def watches(self, head: nn.Module | None) -> bool:
        """As of other monitors; a flow that is given is not the head's own."""
        return super().watches(head) and head.flow_is_own

    def measure(
        self, runner: Runner, queries: Views, keys: Views, data_batch: dict
    ) -> dict[str, float]:
        """Solve the first pair's problems again and describe them."""
        model = unwrap_model(runner.model)
        head = model.head
        pair = head.pair_numbers(len(queries), len(keys))[0]
        query, key = (
            head.pyramid(views[view])
            for views, view in zip((queries, keys), pair, strict=True)
        )
        settings = {k: head.transport_cfg[k] for k in ('gamma', 'max_iters')}
        problems = head.transport_problems([(query, key)])
        plan = sinkhorn(*problems, **settings)
        figures = describe_transport(*problems, plan)
        self._warn_if_blurred(
            runner, figures['matches_per_node'], plan.flow.shape[2]
        )
        figures |= self._excess_cost(problems, plan.flow)
        views, pyramid = _geometry(model, data_batch, pair)
        if views:
            others = head.transport_problems([(query, _next_images(key))])
            other_plan = sinkhorn(*others, **settings, warn=False)
            figures |= score_own_flow(
                plan.flow,
                views,
                pyramid,
                other_plan.flow if len(views) > 1 else None,
            )
        return figures

    def _warn_if_blurred(
        self, runner: Runner, matches: float, num_nodes: int
    ) -> None:
        is_blurred = matches > self.max_matches * num_nodes
        if not is_blurred or runner.iter < self._begin:
            self._blurred_in_a_row = 0
            return
        self._blurred_in_a_row += 1
        if self._blurred_in_a_row < self.patience:
            return
        self.warn(
            runner,
            'blurred',
            f'The flow of a node goes to {matches:.0f} of {num_nodes} nodes, '
            f'and has done so for {self._blurred_in_a_row} measurements: it '
            'matches nothing yet, and that it converges means nothing. If '
            'collapse/predicted_spread_within is far below '
            'collapse/dense_spread_within, train on; if it is not, or this '
            'stays, try a smaller gamma (and more max_iters) in the head.',
        )

    def _excess_cost(self, problems: tuple, flow: Tensor) -> dict[str, float]:
        if not self.num_exact or find_spec('ot') is None:  # POT
            return {}
        few = [tensor[: self.num_exact] for tensor in problems]
        cheapest = (few[0] * exact_transport(*few).flow).sum((1, 2)).mean()
        entropic = (few[0] * flow[: self.num_exact]).sum((1, 2)).mean()
        return dict(excess_cost=float(entropic / cheapest - 1))


def _geometry(
    model: nn.Module, data_batch: dict, pair: Sequence[int]
) -> tuple[list, SPCNeck | None]:
    """Geometry of the pair's views of each image, and the pyramid.

    Empty where there is nothing to tell by where the nodes lie.
    """
    pyramid = next(
        (m for m in model.modules() if isinstance(m, SPCNeck)), None
    )
    samples = data_batch['data_samples']
    if pyramid is None or not all('views' in sample for sample in samples):
        return [], None
    views = [[sample.views[view] for view in pair] for sample in samples]
    return views, pyramid


def _next_images(key: Embedding) -> Embedding:
    """For each image of a batch the next one's; for the last the first's."""
    return Embedding(*(x if x is None else x.roll(-1, 0) for x in key))
