"""Each gradient against differences of what it claims to differentiate."""

import sys

import numpy as np
import pytest
import torch
from transport_problems import small_problem

from mmselfemd.transport import cosine_cost, emd_similarity, sinkhorn
from mmselfemd.transport.emd import GRADIENTS, flow_similarity

GAMMA = 0.2
# What is left early on purpose.
EARLY = 'ignore::mmselfemd.transport.ConvergenceWarning'
# The package has a function of the same name.
solver = sys.modules['mmselfemd.transport.sinkhorn']


def similarity(cost, source, target, iterations):
    """Eq. 12, what ``implicit`` and ``unroll`` differentiate."""
    flow = sinkhorn(cost, source, target, GAMMA, iterations).flow
    return ((1 - cost) * flow).sum()


def regularised(cost, source, target, iterations):
    """Minus the optimum of Eq. 4, what ``envelope`` differentiates."""
    flow = sinkhorn(cost, source, target, GAMMA, iterations).flow
    entropy = torch.special.entr(flow) + flow  # -pi (log pi - 1)
    return -(cost * flow).sum() + GAMMA * entropy.sum()


def differences(function, tensors, which, iterations, step=1e-5):
    """Central differences of a function by one of its tensors."""
    result = torch.zeros_like(tensors[which])
    for index in np.ndindex(*result.shape):
        values = []
        for sign in (1, -1):
            moved = [tensor.detach().clone() for tensor in tensors]
            moved[which][index] += sign * step
            values.append(function(*moved, iterations))
        result[index] = (values[0] - values[1]) / (2 * step)
    return result


@pytest.mark.parametrize('which', [0, 1, 2], ids=['cost', 'source', 'target'])
@pytest.mark.parametrize(
    'gradient, quantity, iterations',
    [
        ('envelope', regularised, 1000),
        ('implicit', similarity, 1000),
        ('unroll', similarity, 1000),
        # As the iterations were run, converged or not.
        ('unroll', similarity, 2),
    ],
)
@pytest.mark.filterwarnings(EARLY)
def test_gradients_are_what_they_claim(gradient, quantity, iterations, which):
    """Eq. 4 (envelope) and Eq. 12 (the others), weights not normalised."""
    tensors = small_problem()
    tensors[which].requires_grad_()
    score, _ = flow_similarity(*tensors, GAMMA, iterations, gradient, True)
    analytic = torch.autograd.grad(score.sum(), tensors[which])[0]
    expected = differences(quantity, tensors, which, iterations)
    assert expected.abs().max() > 1e-2
    assert (analytic - expected).abs().max() < 1e-7


@pytest.mark.parametrize('gradient', GRADIENTS)
@pytest.mark.filterwarnings(EARLY)
def test_the_similarity_of_nodes_is_that_of_their_costs(gradient):
    x, y = torch.randn(2, 5, 4, requires_grad=True), torch.randn(2, 7, 4)
    weights = torch.rand(2, 5), torch.rand(2, 7)
    options = 0.3, 2, gradient
    found = emd_similarity(x, y, *weights, *options)
    expected, _ = flow_similarity(cosine_cost(x, y), *weights, *options)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), x),
        torch.autograd.grad(expected.sum(), x),
    )


@pytest.mark.parametrize('gradient', GRADIENTS)
def test_both_domains_give_the_same_gradients(gradient, monkeypatch):
    tensors = [tensor.requires_grad_() for tensor in small_problem(3)]
    grads = []
    for safe_range in (300.0, 0.0):  # linear, then log
        monkeypatch.setitem(solver._LINEAR_RANGE, torch.float64, safe_range)
        score, _ = flow_similarity(*tensors, GAMMA, 500, gradient, True)
        grads.append(torch.autograd.grad(score.sum(), tensors))
    for linear, log in zip(*grads, strict=True):
        assert torch.allclose(linear, log, atol=1e-9)


@pytest.mark.parametrize('gradient', GRADIENTS)
def test_marginals_carry_no_gradient_by_default(gradient):
    cost, source, target = (
        tensor.requires_grad_() for tensor in small_problem()
    )
    score, _ = flow_similarity(cost, source, target, gradient=gradient)
    score.sum().backward()
    assert cost.grad is not None
    assert source.grad is None and target.grad is None


@pytest.mark.parametrize('gradient', GRADIENTS)
def test_scaling_weights_changes_nothing(gradient):
    """The gradient is orthogonal to the weights of an image."""
    cost, source, target = (
        tensor.requires_grad_() for tensor in small_problem(2)
    )
    score, _ = flow_similarity(
        cost, source, target, GAMMA, 500, gradient, True
    )
    score.sum().backward()
    for weights in (source, target):
        assert (weights * weights.grad).sum(1).abs().max() < 1e-9


@pytest.mark.parametrize('gradient', GRADIENTS)
@pytest.mark.parametrize('gamma', [0.2, 0.01])
def test_zero_weights_get_no_gradient_and_spoil_none(gradient, gamma):
    """In float32, in both domains; also where all weights are zero."""
    cost, source, target = small_problem(3, 5, 6, torch.float32)
    source[0, 1] = target[1, 2] = 0
    source[2] = 0
    tensors = [tensor.requires_grad_() for tensor in (cost, source, target)]
    score, _ = flow_similarity(*tensors, gamma, 200, gradient, True)
    score.sum().backward()
    for tensor in tensors:
        assert tensor.grad.isfinite().all()
    for weights in tensors[1:]:
        assert (weights.grad[weights == 0] == 0).all()
    # The other nodes are as if those without weight were not there.
    few = [t[:1].detach() for t in (cost, source, target)]
    keep = [0, 2, 3, 4]
    few[0], few[1] = few[0][:, keep], few[1][:, keep]
    few = [tensor.requires_grad_() for tensor in few]
    score, _ = flow_similarity(*few, gamma, 200, gradient, True)
    score.sum().backward()
    assert torch.allclose(
        source.grad[0, keep], few[1].grad[0], atol=1e-3, rtol=1e-3
    )


@pytest.mark.parametrize('gradient', GRADIENTS)
def test_a_nan_problem_spoils_no_other_gradient(gradient):
    tensors = small_problem(3)
    expected = None
    for bad in (False, True):
        if bad:
            tensors[0][1, 0, 0] = float('nan')
        leaves = [t.detach().clone().requires_grad_() for t in tensors]
        score, _ = flow_similarity(*leaves, GAMMA, 50, gradient, True)
        score[[0, 2]].sum().backward()
        grads = [leaf.grad[[0, 2]] for leaf in leaves]
        expected = expected or grads
    for a, b in zip(grads, expected, strict=True):
        assert torch.equal(a, b) and a.isfinite().all()


def test_implicit_of_a_flow_that_falls_apart_is_finite():
    """One-to-one flows have no multipliers that are unique."""
    cost = torch.tensor([[[0.0, 2.0], [2.0, 0.0]]]).repeat(2, 1, 1)
    cost[1] = torch.tensor([[0.3, 0.1], [0.2, 0.9]])
    tensors = [cost, torch.ones(2, 2), torch.ones(2, 2)]
    tensors = [tensor.requires_grad_() for tensor in tensors]
    score, plan = flow_similarity(*tensors, 0.002, 100, 'implicit', True)
    assert plan.flow[0, 0, 1] == 0
    score.sum().backward()
    # Where nothing else can be done, the flow does not respond to the cost.
    assert torch.allclose(cost.grad[0], -plan.flow[0], atol=1e-4)
    assert all(tensor.grad.isfinite().all() for tensor in tensors)


def test_implicit_is_right_in_float32_where_the_flow_nearly_falls_apart():
    """Tiny weights for each other, beside `unroll` in float64."""
    cost = 0.4 + torch.rand(1, 5, 6) / 4
    cost[:, :2, :2] -= 0.4
    cost[:, 2:, 2:] -= 0.4
    source = torch.tensor([[1e-9, 1e-9, 4, 4, 4]])
    target = torch.tensor([[1e-9, 1e-9, 3, 3, 3, 3]])
    found = []
    for gradient, dtype in (
        ('implicit', torch.float32),
        ('unroll', torch.float64),
    ):
        tensors = [
            t.to(dtype).requires_grad_() for t in (cost, source, target)
        ]
        score, _ = flow_similarity(*tensors, 0.02, 2000, gradient, True)
        found.append(torch.autograd.grad(score.sum(), tensors))
    for slope, expected in zip(*found, strict=True):
        assert (slope - expected).norm() < 1e-4 * expected.norm()


def test_gradients_reach_what_made_the_weights():
    x, y = torch.randn(2, 5, 4), torch.randn(2, 6, 4)
    weights = torch.randn(2, 5, requires_grad=True)
    emd_similarity(
        x,
        y,
        weights.relu(),
        torch.ones(2, 6),
        marginal_gradient=True,
    ).sum().backward()
    assert (weights.grad[weights < 0] == 0).all()
    assert (weights.grad[weights > 0] != 0).all()
