"""Properties of the transport, and agreement with POT."""

import importlib

import numpy as np
import ot
import pytest
import torch
from transport_problems import problem

from mmselfemd.transport import (
    cosine_cost,
    domains,
    emd_similarity,
    exact_transport,
    mean_marginals,
    normalise_marginals,
    sinkhorn,
    vector_marginals,
)
from mmselfemd.transport.emd import flow_similarity


def test_marginals_are_normalised_and_all_zero_is_uniform():
    weights = torch.tensor(
        [[1.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1e-30, 0.0, 1e-30]]
    )
    marginals = normalise_marginals(weights)
    expected = torch.tensor([[0.25, 0.75, 0.0], [1 / 3] * 3, [0.5, 0.0, 0.5]])
    assert torch.allclose(marginals, expected)


@pytest.mark.parametrize('domain', ['linear', 'log'])
def test_sinkhorn_agrees_with_pot(domain):
    cost, source, target = problem()
    source[0, 2] = target[1, 3] = 0
    plan = sinkhorn(cost, source, target, 0.05, 10000, domain=domain)
    for b in range(len(cost)):
        s, d = (w[b] / w[b].sum() for w in (source, target))
        keep = np.ix_(s > 0, d > 0)
        expected = ot.sinkhorn(
            s[s > 0].numpy(),
            d[d > 0].numpy(),
            cost[b].numpy()[keep],
            0.05,
            method='sinkhorn_log',
            numItermax=100000,
            stopThr=1e-14,
        )
        assert np.abs(plan.flow[b].numpy()[keep] - expected).max() < 1e-9


def test_sinkhorn_approaches_the_exact_emd():
    cost, source, target = problem(batch=1)
    s, d = (w[0] / w[0].sum() for w in (source, target))
    exact = ot.emd2(s.numpy(), d.numpy(), cost[0].numpy())
    gaps = []
    for gamma in (0.3, 0.1, 0.03, 0.01):
        flow = sinkhorn(cost, source, target, gamma, 20000).flow
        gaps.append((flow * cost).sum().item() - exact)
    assert gaps == sorted(gaps, reverse=True)
    assert -1e-9 < gaps[-1] < 1e-3


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('gamma', [0.1, 0.002])
def test_marginals_hold(dtype, gamma):
    cost, source, target = problem(4, 83, 20, dtype)
    plan = sinkhorn(cost, source, target, gamma, 200)
    source, target = normalise_marginals(source), normalise_marginals(target)
    accuracy = 1e-4 if dtype == torch.float32 else 1e-12
    assert (plan.flow.sum(2) - source).abs().sum(1).max() < accuracy
    error = (plan.flow.sum(1) - target).abs().sum(1)
    assert torch.allclose(error, plan.residual)
    assert (plan.converged == (plan.residual <= 1e-3)).all()


def test_invariances():
    cost, source, target = problem()
    flow = sinkhorn(cost, source, target, 0.2, 500).flow
    transposed = sinkhorn(cost.mT, target, source, 0.2, 500).flow.mT
    assert torch.allclose(flow, transposed, atol=1e-9)

    row, column = torch.rand(3, 5, 1).double(), torch.rand(3, 1, 7).double()
    shifted = sinkhorn(cost + row + column, source, target, 0.2, 500).flow
    assert torch.allclose(flow, shifted, atol=1e-9)

    scaled = sinkhorn(3 * cost, source, target, 0.6, 500).flow
    assert torch.allclose(flow, scaled, atol=1e-12)

    i, j = torch.randperm(5), torch.randperm(7)
    permuted = sinkhorn(
        cost[:, i][:, :, j], source[:, i], target[:, j], 0.2, 500
    ).flow
    assert torch.allclose(flow[:, i][:, :, j], permuted, atol=1e-12)

    unequal = sinkhorn(cost, 5 * source, target / 3, 0.2, 500).flow
    assert torch.allclose(flow, unequal, atol=1e-12)


def test_two_by_two_has_a_closed_form():
    # With uniform marginals of 2 x 2 the flow is (p, 1/2 - p; 1/2 - p, p) and
    # p / (1/2 - p) = exp((c12 + c21 - c11 - c22) / (2 gamma)).
    cost = torch.tensor([[[0.1, 0.7], [0.4, 0.2]]]).double()
    odds = np.exp((0.7 + 0.4 - 0.1 - 0.2) / (2 * 0.3))
    flow = sinkhorn(
        cost, torch.ones(1, 2).double(), torch.ones(1, 2).double(), 0.3, 1000
    ).flow
    assert flow[0, 0, 0].item() == pytest.approx(odds / (1 + odds) / 2)


@pytest.mark.parametrize('n, m', [(5, 7), (49, 49), (20, 83)])
def test_batch_is_the_same_as_a_loop_and_tol_stops_early(n, m):
    cost, source, target = problem(3, n, m)
    for tol in (None, 1e-6):
        batch = sinkhorn(cost, source, target, 0.1, 300, tol)
        for b in range(3):
            alone = sinkhorn(
                cost[b : b + 1],
                source[b : b + 1],
                target[b : b + 1],
                0.1,
                300,
                tol,
            )
            # A product may round another way at another place of a batch.
            assert torch.allclose(alone.flow[0], batch.flow[b], 1e-10, 1e-15)
            assert alone.iterations[0] == batch.iterations[b]
    assert (batch.iterations < 300).all() and (batch.residual <= 1e-6).all()
    assert batch.converged.all()


@pytest.mark.parametrize(
    'gamma, iterations',
    [(0.1, 50), (0.05, 100), (0.05, 200), (0.05, 3000), (0.01, 500)],
)
def test_float32_agrees_with_float64(gamma, iterations):
    problems = problem(8, 83, 83, torch.float32)
    problems[1][:, :9] = 0
    single = sinkhorn(*problems, gamma, iterations)
    double = sinkhorn(*(t.double() for t in problems), gamma, iterations)
    assert single.flow.dtype == torch.float32
    # Rounding of c / gamma alone moves an entry by eps / gamma.
    error = (single.flow - double.flow).abs().sum((1, 2)).max()
    assert error < 10 * torch.finfo(torch.float32).eps / gamma
    assert (single.residual - double.residual).abs().max() < 1e-5


def test_all_ways_to_iterate_give_the_same():
    """With `tol`, with a gradient, and on logarithms."""
    cost, source, target = problem()
    source[0, 2] = target[1, 3] = 0
    expected = sinkhorn(cost, source, target, 0.1, 60)
    for other in (
        sinkhorn(cost, source, target, 0.1, 60, tol=0.0),
        sinkhorn(cost.clone().requires_grad_(), source, target, 0.1, 60),
        sinkhorn(cost, source, target, 0.1, 60, domain='log'),
    ):
        assert torch.allclose(other.flow, expected.flow, atol=1e-12)
        # Only the sum is unique: a constant may move from f to g.
        assert torch.allclose(*map(sum_of_potentials, (other, expected)))


def test_a_gpu_sums_where_a_cpu_multiplies(monkeypatch):
    cost, source, target = problem()
    cost.requires_grad_()
    found = []
    for devices in (('cpu',), ()):
        monkeypatch.setattr(domains, '_WITH_PRODUCTS', devices)
        flow = sinkhorn(cost, source, target, 0.1, 60).flow
        found += [flow, *torch.autograd.grad(flow.square().sum(), cost)]
    assert torch.allclose(found[0], found[2], 1e-10, 1e-15)
    assert torch.allclose(found[1], found[3], 1e-8, 1e-12)


def sum_of_potentials(plan):
    return plan.source_potential[:, :, None] + plan.target_potential[:, None]


@pytest.mark.parametrize('domain', ['linear', 'log'])
@pytest.mark.parametrize('n, m', [(5, 7), (49, 49)])
def test_zero_weights_get_no_flow_and_finite_gradients(domain, n, m):
    cost, source, target = problem(3, n, m, torch.float32)
    source[0, 2] = target[1, 3] = 0
    source[2] = 0
    cost.requires_grad_()
    flow = sinkhorn(cost, source, target, 0.05, domain=domain).flow
    assert (flow[0, 2] == 0).all() and (flow[1, :, 3] == 0).all()
    assert torch.allclose(flow[2].sum(1), torch.tensor(1 / n), atol=1e-5)
    flow.square().sum().backward()
    assert cost.grad.isfinite().all()


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
@pytest.mark.parametrize('n, m', [(5, 7), (49, 49)])
def test_a_non_finite_problem_stays_alone(bad, n, m):
    cost, source, target = problem(3, n, m, torch.float32)
    expected = sinkhorn(cost, source, target).flow
    cost[1, 2, 3] = bad
    flow = sinkhorn(cost, source, target).flow
    assert torch.equal(flow[0], expected[0])
    assert torch.equal(flow[2], expected[2])


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_non_finite_entries_are_refused_when_checking_is_on(value):
    for position, name in enumerate(('cost', 'source', 'target')):
        bad = list(problem())
        bad[position].view(-1)[1] = value
        sinkhorn(*bad)
        with pytest.raises(ValueError, match=f'{name} must be finite.* 1 of'):
            sinkhorn(*bad, check_finite=True)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('half_features', [False, True])
@pytest.mark.parametrize('marginals', ['vector', 'mean'])
def test_autocast_does_not_touch_the_transport(
    dtype, half_features, marginals
):
    """Marginals (Eq. 14, 15), cost and flow, from the same features."""
    x, y, v = (
        torch.randn(2, 83, 32),
        torch.randn(2, 83, 32),
        torch.randn(2, 32),
    )
    if half_features:  # as a layer under autocast gives them
        x, y, v = (features.to(dtype) for features in (x, y, v))

    def solve(x, y, v):
        weights = (
            (vector_marginals(x, v), vector_marginals(y, v))
            if marginals == 'vector'
            else (mean_marginals(x, y), mean_marginals(y, x))
        )
        return (
            sinkhorn(cosine_cost(x, y), *weights).flow,
            emd_similarity(x, y, *weights),
        )

    expected, score = solve(x.float(), y.float(), v.float())
    with torch.autocast('cpu', dtype=dtype):
        flow, under_autocast = solve(x, y, v)
    assert flow.dtype == under_autocast.dtype == torch.float32
    assert (flow - expected).abs().sum((1, 2)).max() < 1e-4
    assert (under_autocast - score).abs().max() < 1e-5


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(gamma=0), 'gamma must be > 0'),
        (dict(max_iters=0), 'max_iters must be >= 1'),
        (dict(domain='cubic'), "'cubic'"),
        (dict(source=torch.ones(3, 6)), r'source must be of shape \(3, 5\)'),
        (dict(target=-torch.ones(3, 7)), 'target weights must be >= 0'),
        (dict(cost=torch.ones(5, 7)), r'cost must be of shape \(B, N, M\)'),
        (dict(cost=torch.ones(3, 5, 7).long()), 'cost must be of floats'),
    ],
)
def test_bad_problems_are_refused(change, message):
    cost, source, target = problem(dtype=torch.float32)
    arguments = dict(cost=cost, source=source, target=target) | change
    with pytest.raises(ValueError, match=message):
        sinkhorn(**arguments)


@pytest.mark.parametrize('domain', ['linear', 'log'])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_weights_of_other_numbers_are_taken(domain, dtype):
    cost, source, target = problem(dtype=dtype)
    source[0], target[0] = 0, torch.arange(7)
    expected = sinkhorn(cost, source, target, domain=domain).flow
    others = source.float(), target.double()
    flow = sinkhorn(cost, *others, domain=domain).flow
    assert flow.dtype == dtype
    assert (flow - expected).abs().max() < 1e-6
    counts = source[:1].long(), target[:1].long()
    flow = sinkhorn(cost[:1], *counts, domain=domain).flow
    assert (flow - expected[:1]).abs().max() < 1e-6


@pytest.mark.parametrize('solve', [sinkhorn, exact_transport])
@pytest.mark.parametrize('b, n, m', [(0, 5, 7), (3, 0, 7), (3, 5, 0)])
def test_nothing_to_solve_is_refused(solve, b, n, m):
    weights = torch.ones(b, n), torch.ones(b, m)
    with pytest.raises(ValueError, match=rf'cost .*\({b}, {n}, {m}\)'):
        solve(torch.ones(b, n, m), *weights)
    nodes = torch.ones(b, n, 2), torch.ones(b, m, 2)
    with pytest.raises(ValueError, match=rf'x and y .*\({b}, {n}, 2\)'):
        emd_similarity(*nodes, *weights)


@pytest.mark.parametrize('name', ['source', 'target'])
def test_weights_whose_sum_overflows_are_refused(name):
    cost, source, target = problem(dtype=torch.float32)
    weights = dict(source=source, target=target)
    weights[name][1, :3] = 1.5e38
    message = f'{name} weights .* torch.float32, up to 3.4e.38, .* 1.5e.38'
    for solve in (sinkhorn, exact_transport):
        with pytest.raises(ValueError, match=message):
            solve(cost, **weights)
        solve(cost.double(), **{k: w.double() for k, w in weights.items()})
    with pytest.raises(ValueError, match=message):
        emd_similarity(torch.ones(3, 5, 4), torch.ones(3, 7, 4), **weights)


def test_bad_nodes_are_refused():
    with pytest.raises(ValueError, match='x and y must be nodes'):
        cosine_cost(torch.ones(2, 3, 4), torch.ones(2, 3, 5))
    with pytest.raises(ValueError, match='gradient must be one of'):
        emd_similarity(
            *torch.ones(2, 1, 3, 4), *torch.ones(2, 1, 3), gradient='straight'
        )
    with pytest.raises(ValueError, match='nodes must be'):
        vector_marginals(torch.ones(2, 3, 4), torch.ones(2, 5))


def test_what_is_solved_in_float64_has_marginals_of_that_precision_too():
    problem32 = problem(dtype=torch.float32)
    plan = sinkhorn(*problem32, 0.01, 20000, tol=1e-11)
    assert plan.converged.all()
    assert (plan.residual <= 1e-11).all()


@pytest.fixture
def solved_by_scalings(monkeypatch):
    """Types of the costs that are solved without logarithms."""
    solved = []

    class Watched(domains.LinearDomain):
        def __init__(self, cost, *args):
            solved.append(cost.dtype)
            super().__init__(cost, *args)

    module = importlib.import_module('mmselfemd.transport.sinkhorn')
    monkeypatch.setattr(module, 'LinearDomain', Watched)
    return solved


@pytest.mark.parametrize(
    'spread, expected',
    [
        (43.9, [torch.float32]),
        (44.1, [torch.float64]),
        (299.0, [torch.float64]),
        (301.0, []),
    ],
)
def test_scalings_serve_up_to_a_spread_of_costs_over_gamma(
    solved_by_scalings, spread, expected
):
    cost, weights = 1 - torch.eye(2)[None], torch.ones(1, 2)
    sinkhorn(cost, weights, weights, 1 / spread, 10, warn=False)
    assert solved_by_scalings == expected


@pytest.mark.parametrize('gradient', ['envelope', 'implicit', 'unroll'])
def test_a_small_gamma_in_float32_is_solved_in_float64_on_a_cpu(
    solved_by_scalings, gradient
):
    cost, *weights = problem(dtype=torch.float32)
    plan = sinkhorn(cost, *weights, 0.01, 500)
    assert solved_by_scalings == [torch.float64]
    for name, value in plan._asdict().items():
        if name not in ('iterations', 'converged'):
            assert value.dtype == torch.float32, name
    expected = sinkhorn(
        *(x.double() for x in (cost, *weights)), 0.01, 500, domain='log'
    )
    torch.testing.assert_close(
        plan.flow.double(), expected.flow, rtol=1e-3, atol=1e-6
    )
    cost.requires_grad_()
    similarity, _ = flow_similarity(
        cost, *weights, 0.01, 500, gradient=gradient
    )
    (slope,) = torch.autograd.grad(similarity.sum(), cost)
    assert slope.dtype == torch.float32 and slope.isfinite().all()
    # Beyond the range of float64 too there are logarithms.
    solved_by_scalings.clear()
    sinkhorn(cost, *weights, 0.001, 10, warn=False)
    assert solved_by_scalings == []


def test_weights_whose_sum_overflows_are_scaled():
    weights = torch.tensor([[3e38, 3e38, 0.0], [1e-38, 3e-38, 0.0]])
    expected = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])
    torch.testing.assert_close(normalise_marginals(weights), expected)
