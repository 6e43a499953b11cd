"""The paper's equations of the transport, transcribed slowly and literally.

Where the paper has a slip (Eq. 3, 5, 8) the corrected form stands here. Eq. 3
is in test_exact_transport.py; Eq. 1, 2 and 13 are with the models.
"""

import math

import numpy as np
import pytest
import torch
from transport_problems import small_problem

from mmselfemd.transport import (
    cosine_cost,
    emd_similarity,
    mean_marginals,
    normalise_marginals,
    sinkhorn,
    uniform_marginals,
    vector_marginals,
)

GAMMA = 0.2
# What is left early on purpose.
EARLY = 'ignore::mmselfemd.transport.ConvergenceWarning'


def test_equation_4_no_other_flow_is_better():
    """Eq. 4 is convex: along any change that keeps the marginals it rises."""
    cost, source, target = small_problem()
    flow = sinkhorn(cost, source, target, GAMMA, 2000).flow

    def objective(pi):
        return sum(
            cost[0, i, j] * pi[0, i, j]
            + GAMMA * pi[0, i, j] * (pi[0, i, j].log() - 1)
            for i in range(3)
            for j in range(4)
        )

    for _ in range(20):
        change = torch.randn_like(flow)
        change = change - change.mean(1, keepdim=True)
        change = change - change.mean(2, keepdim=True)
        change = change * 0.5 * flow.min() / change.abs().max()
        assert objective(flow + change) > objective(flow)


def test_equation_5_has_its_optimum_at_the_flow():
    """Eq. 5 corrected: a multiplier, and a sum, for each constraint."""
    cost, source, target = small_problem()
    plan = sinkhorn(cost, source, target, GAMMA, 2000)
    s, d = (normalise_marginals(w)[0] for w in (source, target))
    alpha, beta = -plan.target_potential[0], -plan.source_potential[0]
    n, m = cost.shape[1:]

    def lagrangian(pi):
        return (
            sum(
                cost[0, i, j] * pi[i, j]
                + GAMMA * pi[i, j] * (pi[i, j].log() - 1)
                for i in range(n)
                for j in range(m)
            )
            + sum(
                alpha[j] * (sum(pi[i, j] for i in range(n)) - d[j])
                for j in range(m)
            )
            + sum(
                beta[i] * (sum(pi[i, j] for j in range(m)) - s[i])
                for i in range(n)
            )
        )

    pi = plan.flow[0].clone()
    unknowns = [x.requires_grad_() for x in (pi, alpha, beta)]
    # By the multipliers the slopes are the constraints.
    for slope in torch.autograd.grad(lagrangian(pi), unknowns):
        assert slope.abs().max() < 1e-12


@pytest.mark.parametrize('domain', ['linear', 'log'])
def test_equation_6_the_flow_from_its_multipliers(domain):
    r"""Eq. 6, with alpha = -g and beta = -f of the Lagrangian, Eq. 5."""
    cost, source, target = small_problem(2)
    source[0, 1] = target[1, 2] = 0
    plan = sinkhorn(cost, source, target, GAMMA, 50, domain=domain)
    alpha, beta = -plan.target_potential, -plan.source_potential
    for b, i, j in np.ndindex(*cost.shape):
        expected = (
            math.exp(-alpha[b, j] / GAMMA)
            * math.exp(-cost[b, i, j] / GAMMA)
            * math.exp(-beta[b, i] / GAMMA)
        )
        assert plan.flow[b, i, j].item() == pytest.approx(expected, rel=1e-12)
    assert (beta[0, 1], alpha[1, 2]) == (math.inf, math.inf)


def test_equations_7_and_8_the_marginals_from_the_scalings():
    """Eq. 7, and Eq. 8 corrected: s_i = v_i (sum over j of M_ij u_j)."""
    cost, source, target = small_problem()
    plan = sinkhorn(cost, source, target, GAMMA, 2000)
    s, d = (normalise_marginals(w)[0] for w in (source, target))
    u = (plan.target_potential[0] / GAMMA).exp()
    v = (plan.source_potential[0] / GAMMA).exp()
    kernel = (-cost[0] / GAMMA).exp()
    for j in range(4):
        column = u[j] * sum(kernel[i, j] * v[i] for i in range(3))
        assert column.item() == pytest.approx(d[j].item(), abs=1e-12)
    for i in range(3):
        row = v[i] * sum(kernel[i, j] * u[j] for j in range(4))
        assert row.item() == pytest.approx(s[i].item(), abs=1e-12)


@pytest.mark.filterwarnings(EARLY)
def test_equations_9_and_10_the_iterations():
    cost, source, target = small_problem(1, 5, 7)
    gamma, T = 0.3, 7
    s, d = (w[0] / w[0].sum() for w in (source, target))
    M = torch.exp(-cost[0] / gamma)
    v = torch.ones(5).double()
    for _ in range(T):
        u = torch.stack(
            [d[j] / sum(M[i, j] * v[i] for i in range(5)) for j in range(7)]
        )
        v = torch.stack(
            [s[i] / sum(M[i, j] * u[j] for j in range(7)) for i in range(5)]
        )
    expected = torch.diag(v) @ M @ torch.diag(u)
    for domain in ('linear', 'log'):
        plan = sinkhorn(cost, source, target, gamma, T, domain=domain)
        assert torch.allclose(plan.flow[0], expected, rtol=1e-12)


def test_equation_11_the_cost():
    x, y = torch.randn(2, 3, 4).double(), torch.randn(2, 5, 4).double()
    cost = cosine_cost(x, y)
    for b in range(2):
        for i in range(3):
            for j in range(5):
                expected = 1 - x[b, i] @ y[b, j] / (
                    x[b, i].norm() * y[b, j].norm()
                )
                assert torch.isclose(cost[b, i, j], expected, rtol=1e-12)


DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize('dtype', DTYPES)
def test_equation_11_where_a_node_has_no_direction(dtype):
    """It costs 1 to everywhere and gets no slope; the others get theirs."""
    x, y = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    x[0, 1], x[1, 2], y[1, 3] = 0, 1e-7, 0
    x, y = (nodes.to(dtype).requires_grad_() for nodes in (x, y))
    cost = cosine_cost(x, y)
    assert (cost[0, 1] == 1).all() and (cost[1, 2] == 1).all()
    assert (cost[1, :, 3] == 1).all()
    by_x, by_y = torch.autograd.grad(cost.square().sum(), (x, y))
    for slope, short in ((by_x, [[0, 1], [1, 2]]), (by_y, [[1, 3]])):
        lengths = slope.float().norm(dim=-1)
        assert (lengths == 0).nonzero().tolist() == short
        assert slope.isfinite().all()


def test_equation_11_has_slopes_below_the_inverse_of_the_shortest_length():
    """The slope of a cosine is at most one over the length, here of 1e-6."""
    y = torch.randn(1, 5, 4)
    for length in (1.0, 1e-3, 1.1e-6, 9e-7, 1e-9, 1e-13):
        x = torch.nn.functional.normalize(torch.randn(1, 1, 4), dim=-1)
        x = (length * x).requires_grad_()
        for cost in cosine_cost(x, y)[0, 0]:
            slope = torch.autograd.grad(cost, x, retain_graph=True)[0]
            assert slope.norm() < 1e6


def test_equation_12_the_similarity():
    x, y = torch.randn(2, 5, 4).double(), torch.randn(2, 7, 4).double()
    source, target = torch.rand(2, 5).double(), torch.rand(2, 7).double()
    cost = cosine_cost(x, y)
    flow = sinkhorn(cost, source, target).flow
    for b, score in enumerate(emd_similarity(x, y, source, target)):
        expected = sum(
            (1 - cost[b, i, j]) * flow[b, i, j]
            for i in range(5)
            for j in range(7)
        )
        assert torch.isclose(score, expected)


def test_equations_14_and_15_the_marginals():
    x, y = torch.randn(2, 3, 4).double(), torch.randn(2, 5, 4).double()
    v = torch.randn(2, 4).double()
    eq14, eq15 = mean_marginals(x, y), vector_marginals(x, v)
    for b in range(2):
        for i in range(3):
            mean = sum(y[b, j] for j in range(5)) / 5
            assert torch.isclose(eq14[b, i], (x[b, i] @ mean).clamp(min=0))
            assert torch.isclose(eq15[b, i], (x[b, i] @ v[b]).clamp(min=0))
    assert (uniform_marginals(x) == 1).all()
