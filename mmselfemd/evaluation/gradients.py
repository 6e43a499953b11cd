"""How far the gradients of the similarity lie apart on a model's features."""

from collections.abc import Iterable
from itertools import chain, combinations
from typing import NamedTuple

import torch
from torch import Tensor

from mmselfemd.errors import UserValueError
from mmselfemd.models.heads import EMDHead
from mmselfemd.models.norm_statistics import batch_statistics
from mmselfemd.models.selfsup import SelfEMD
from mmselfemd.transport import cosine_cost
from mmselfemd.transport.emd import GRADIENTS, flow_similarity

# Unrolled iterations take memory for each: so many problems at a time.
_CHUNK = 16


class NodePairs(NamedTuple):
    """What the head compares: B pairs of two sets of weighted nodes.

    Attributes:
        query (Tensor): Nodes of the prediction, (B, N, C).
        key (Tensor): Nodes of the key, (B, M, C).
        source (Tensor): Weights of the query's nodes, (B, N).
        target (Tensor): Weights of the key's nodes, (B, M).
    """

    query: Tensor
    key: Tensor
    source: Tensor
    target: Tensor


class GradientComparison(NamedTuple):
    """Two gradients of the similarity beside each other.

    Attributes:
        angle (float): Between them, in degrees, mean over the problems.
        angle_std (float): Standard deviation over the problems.
        length_ratio (float): Length of the first over that of the second,
            mean over the problems.
        length_ratio_std (float): Standard deviation over the problems.
    """

    angle: float
    angle_std: float
    length_ratio: float
    length_ratio_std: float


def node_pairs(model: SelfEMD, batch: dict) -> list[NodePairs]:
    """What a training step compares, without a trace in the model.

    Norms use the statistics of the batch, as in training.

    Args:
        model (SelfEMD): The model, with an ``EMDHead``.
        batch (dict): A batch of its training pipeline.

    Returns:
        list[NodePairs]: For each query view and key view.

    Raises:
        UserValueError: If it is another model.
    """
    head = getattr(model, 'head', None)
    has_flow = isinstance(head, EMDHead) and head.flow_is_own
    if not isinstance(model, SelfEMD) or not has_flow:
        raise UserValueError(
            f'{type(model).__name__} with {type(head).__name__} has no '
            'transport: expected SelfEMD with EMDHead, as in configs/selfemd'
        )
    with batch_statistics(model):
        views = model.data_preprocessor(batch, training=True)['inputs']
        queries = [head.predict(model.encoder(view)) for view in views]
        keys = [
            model.key_encoder(view) for view in views[: model.num_key_views]
        ]
        return [
            NodePairs(
                query.nodes,
                key.nodes,
                head.node_weights(query, key),
                head.node_weights(key, query),
            )
            for query, key in chain(*head.transport_groups(queries, keys))
        ]


def compare_gradients(
    problems: Iterable[NodePairs], gamma: float, max_iters: int
) -> dict[str, dict[str, GradientComparison]]:
    """Angles between ``envelope``, ``implicit`` and ``unroll``.

    They are gradients of the similarity of one problem each, computed in
    float64; see docs/transport.md for what each is the gradient of.

    Args:
        problems (Iterable[NodePairs]): The problems.
        gamma (float): Strength of the entropy.
        max_iters (int): Number of Sinkhorn iterations.

    Returns:
        dict[str, dict[str, GradientComparison]]: By the ``cost`` and by the
        ``query`` nodes, for each two gradients, such as
        ``envelope-implicit``.

    Raises:
        UserValueError: If a gradient is zero or not finite, so that it has
            no direction.
    """
    found: dict[str, dict[str, list[Tensor]]] = dict(cost={}, query={})
    for problem in problems:
        chunks = (tensor.double().split(_CHUNK) for tensor in problem)
        for part in zip(*chunks, strict=True):
            gradients = {
                name: _gradients(NodePairs(*part), gamma, max_iters, name)
                for name in GRADIENTS
            }
            for by, results in found.items():
                for first, second in combinations(GRADIENTS, 2):
                    results.setdefault(f'{first}-{second}', []).append(
                        _angle_and_ratio(
                            gradients[first][by], gradients[second][by]
                        )
                    )
    return {
        by: {name: _summary(parts) for name, parts in results.items()}
        for by, results in found.items()
    }


def _gradients(
    problem: NodePairs, gamma: float, max_iters: int, gradient: str
) -> dict[str, Tensor]:
    query = problem.query.detach().requires_grad_()
    cost = cosine_cost(query, problem.key)
    score, _ = flow_similarity(
        cost, problem.source, problem.target, gamma, max_iters, gradient
    )
    by_cost, by_query = torch.autograd.grad(score.sum(), (cost, query))
    return dict(cost=by_cost.flatten(1), query=by_query.flatten(1))


def _angle_and_ratio(first: Tensor, second: Tensor) -> Tensor:
    """Angle in degrees and ratio of lengths of each problem, (B, 2)."""
    lengths = [vector.norm(dim=1, keepdim=True) for vector in (first, second)]
    a, b = first / lengths[0], second / lengths[1]
    # Unlike the arc cosine this is accurate for small angles too.
    angle = 2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))
    return torch.stack(
        (angle.rad2deg(), (lengths[0] / lengths[1])[:, 0]), dim=1
    )


def _summary(parts: list[Tensor]) -> GradientComparison:
    values = torch.cat(parts)
    if not values.isfinite().all():
        raise UserValueError(
            f'{int((~values.isfinite().all(1)).sum())} of {len(values)} '
            'gradients are zero or not finite, and have no direction: take '
            'another checkpoint, or other images'
        )
    (angle, ratio), (angle_std, ratio_std) = (
        values.mean(0).tolist(),
        values.std(0, unbiased=False).tolist(),
    )
    return GradientComparison(angle, angle_std, ratio, ratio_std)
