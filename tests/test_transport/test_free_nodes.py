"""Where the minimum of the loss lies, on nodes that no network ties.

Their descent uses our transport; what it is at where it starts and ends is
held against POT. The figures stand in docs/transport.md.
"""

import math

import numpy as np
import ot
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmselfemd.transport import cosine_cost
from mmselfemd.transport.emd import flow_similarity

NODES, CHANNELS = 49, 256
UNIFORM = torch.full((1, NODES), 1 / NODES).double()


def make_keys(directions: int = CHANNELS) -> Tensor:
    """Of mean cosine about .70; they differ in so many directions."""
    common = normalize(torch.randn(CHANNELS).double(), dim=0)
    own = torch.randn(NODES, directions).double()
    if directions < CHANNELS:
        own = own @ torch.randn(directions, CHANNELS).double()
    return normalize(1.51 * common + own / own.norm(dim=1).mean())


@pytest.fixture
def keys() -> Tensor:
    return make_keys()


def point(keys: Tensor) -> Tensor:
    """All nodes in the direction of the mean key: stationary."""
    return normalize(keys.mean(0, keepdim=True)).expand_as(keys)


def with_pot(query: Tensor, keys: Tensor, gamma: float) -> tuple[float, float]:
    """Loss, Eq. 13, and optimum, Eq. 4, of one image, by POT."""
    cost = 1 - (normalize(query) @ normalize(keys).T).numpy()
    weights = UNIFORM[0].numpy()
    flow = ot.sinkhorn(
        weights,
        weights,
        cost,
        gamma,
        method='sinkhorn_log',
        numItermax=100000,
        stopThr=1e-12,
    )
    # 0 log 0 is 0.
    entropy = (flow * np.log(flow.clip(1e-300)) - flow).sum()
    return 2 * (cost * flow).sum(), (cost * flow).sum() + gamma * entropy


def debiased_with_pot(query: Tensor, keys: Tensor, gamma: float) -> float:
    """Eq. 4 less half of the query's with itself, by POT."""
    own = with_pot(query, query, gamma)[1]
    return with_pot(query, keys, gamma)[1] - own / 2


def loss(query: Tensor, keys: Tensor, gamma: float) -> Tensor:
    """Eq. 13 of one image, with the gradient of training."""
    cost = cosine_cost(query[None], keys[None])
    return 2 - 2 * flow_similarity(cost, UNIFORM, UNIFORM, gamma)[0].sum()


def debiased(query: Tensor, keys: Tensor, gamma: float) -> Tensor:
    return loss(query, keys, gamma) - loss(query, query, gamma) / 2


def scaled(query: Tensor, keys: Tensor, _: float) -> Tensor:
    """Gamma is half the standard deviation of the cost."""
    cost = cosine_cost(query[None], keys[None]).detach()
    return loss(query, keys, float(cost.std() / 2))


def descend(objective, start: Tensor, keys: Tensor, gamma: float, steps: int):
    """Unit nodes after steps of gradient descent."""
    nodes = start
    for _ in range(steps):
        nodes = nodes.detach().requires_grad_()
        slope = torch.autograd.grad(objective(nodes, keys, gamma), nodes)[0]
        nodes = normalize(nodes - NODES / 2 * slope)
    return nodes.detach()


def spread(nodes: Tensor) -> float:
    """Root mean square distance from the mean node."""
    return (nodes - nodes.mean(0)).square().sum(1).mean().sqrt().item()


def critical_gamma(keys: Tensor) -> float:
    """Above it, one point is a minimum: lambda_max(Cov) / |mean|."""
    direction = point(keys)[0]
    across = keys - (keys @ direction)[:, None] * direction
    largest = torch.linalg.eigvalsh(across.T @ across / len(keys))[-1]
    return float(largest / keys.mean(0).norm())


def test_one_point_is_better_than_the_keys_by_eq_4(keys):
    for gamma in (0.05, 0.1):
        for query in (point(keys), keys):
            expected, _ = with_pot(query, keys, gamma)
            found = loss(query, keys, gamma).item()
            assert found == pytest.approx(expected, abs=1e-6)
        at_point, at_keys = (
            with_pot(query, keys, gamma) for query in (point(keys), keys)
        )
        assert at_point[0] == pytest.approx(0.33, abs=0.01)
        assert at_point[1] < at_keys[1]
    assert with_pot(keys, keys, 0.05)[0] < 0.1


@pytest.mark.parametrize('gamma', [0.05, 0.1])
def test_the_gradient_at_query_equal_to_key_draws_the_nodes_together(
    keys, gamma
):
    query = keys.clone().requires_grad_()
    slope = torch.autograd.grad(loss(query, keys, gamma), query)[0]
    inwards = point(keys) - keys
    step = 1e-4 * inwards
    up, down = (with_pot(keys + s, keys, gamma)[1] for s in (step, -step))
    expected = 2 * (up - down) / 2e-4
    assert (slope * inwards).sum().item() == pytest.approx(expected, rel=1e-3)
    assert expected < -1e-3


@pytest.mark.parametrize('directions', [CHANNELS, 6])
def test_one_point_is_a_minimum_above_the_critical_gamma(directions):
    """Eq. 4, by POT, rises or falls to both sides; Eq. 13 from twice it."""
    keys = make_keys(directions)
    direction = point(keys)[0]
    across = keys - (keys @ direction)[:, None] * direction
    axis = torch.linalg.eigh(across.T @ across)[1][:, -1]
    sides = torch.linspace(-0.01, 0.01, NODES).double()[:, None]
    for factor, is_minimum in ((1.2, True), (0.8, False)):
        gamma = factor * critical_gamma(keys)
        at_point = with_pot(point(keys), keys, gamma)[1]
        debiased_at_point = debiased_with_pot(point(keys), keys, gamma)
        for sign in (1, -1):
            query = normalize(point(keys) + sign * sides * axis)
            rises = with_pot(query, keys, gamma)[1] > at_point
            assert rises == is_minimum
            losses = [
                with_pot(nodes, keys, 2 * gamma)[0]
                for nodes in (query, point(keys))
            ]
            assert (losses[0] > losses[1]) == is_minimum
            # The debiased one is never least there.
            assert debiased_with_pot(query, keys, gamma) < debiased_at_point


@pytest.mark.parametrize(
    'objective, gamma, directions, start, least, most',
    [
        (loss, 0.05, CHANNELS, 'point', 0.0, 1e-3),
        (loss, 0.05, CHANNELS, 'keys', 0.05, 0.2),
        (loss, 0.1, CHANNELS, 'keys', 0.0, 1e-3),
        (loss, 0.05, 6, 'point', 0.6, 0.9),
        (debiased, 0.05, CHANNELS, 'point', 0.999, 1.001),
        (scaled, math.nan, CHANNELS, 'point', 0.2, 0.7),
    ],
)
@pytest.mark.filterwarnings('ignore::mmselfemd.transport.ConvergenceWarning')
def test_where_free_nodes_come_to(
    objective, gamma, directions, start, least, most
):
    keys = make_keys(directions)
    noise = 1e-3 * normalize(torch.randn(NODES, CHANNELS).double())
    nodes = normalize(point(keys) + noise) if start == 'point' else keys
    nodes = descend(objective, nodes, keys, gamma, 100)
    assert least <= spread(nodes) / spread(keys) <= most
    if objective is debiased:
        assert (nodes @ keys.T).amax(0).min() > 0.999
