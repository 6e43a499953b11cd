"""The exact solver against linear programming and the entropic one."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from transport_problems import problem

from mmselfemd.transport import exact_transport, sinkhorn


def literal_equation_3(cost, source, target):
    """Eq. 3 corrected: rows sum to s, columns to d; the lowest cost."""
    n, m = cost.shape
    constraints = np.zeros((n + m, n, m))
    for i in range(n):
        constraints[i, i, :] = 1  # sum over j of pi_ij = s_i
    for j in range(m):
        constraints[n + j, :, j] = 1  # sum over i of pi_ij = d_j
    result = linprog(
        cost.ravel(),
        A_eq=constraints.reshape(n + m, n * m),
        b_eq=np.concatenate((source / source.sum(), target / target.sum())),
        bounds=(0, None),
    )
    assert result.status == 0
    return result.fun


def test_exact_transport_is_equation_3():
    cost, source, target = problem()
    source[0, 2] = target[1, 3] = 0
    plan = exact_transport(cost, source, target)
    for b in range(3):
        expected = literal_equation_3(
            *(tensor[b].numpy() for tensor in (cost, source, target))
        )
        assert plan.cost[b].item() == pytest.approx(expected, abs=1e-9)
        assert (plan.cost - (cost * plan.flow).sum((1, 2))).abs().max() < 1e-12
    for flow, weights, dim in ((plan.flow, source, 2), (plan.flow, target, 1)):
        marginal = weights / weights.sum(1, keepdim=True)
        assert (flow.sum(dim) - marginal).abs().max() < 1e-12
    assert (plan.flow >= 0).all()


def test_the_entropic_cost_falls_to_the_exact_one_with_gamma():
    cost, source, target = problem()
    exact = exact_transport(cost, source, target).cost
    gaps = torch.stack(
        [
            (sinkhorn(cost, source, target, gamma, 20000).flow * cost).sum(
                (1, 2)
            )
            - exact
            for gamma in (0.3, 0.1, 0.03, 0.01)
        ]
    )
    assert (gaps > -1e-9).all()
    assert (gaps[1:] < gaps[:-1]).all()
    assert gaps[-1].max() < 2e-3


def test_an_image_without_weight_counts_as_uniform():
    cost, source, target = problem(batch=1)
    uniform = exact_transport(cost, torch.ones_like(source), target)
    nothing = exact_transport(cost, torch.zeros_like(source), target)
    assert torch.equal(uniform.flow, nothing.flow)


@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
def test_takes_other_dtypes_and_carries_no_gradient(dtype):
    cost, source, target = problem(dtype=dtype)
    expected = exact_transport(cost.double(), source.double(), target.double())
    cost.requires_grad_()
    plan = exact_transport(cost, source, target)
    assert plan.flow.dtype == torch.float32  # at least, as in `sinkhorn`
    assert not plan.flow.requires_grad
    assert torch.allclose(plan.cost.double(), expected.cost, atol=1e-6)


def test_bad_problems_are_refused():
    cost, source, target = problem()
    with pytest.raises(ValueError, match='source must be of shape'):
        exact_transport(cost, target, target)
    with pytest.raises(ValueError, match='target weights must be >= 0'):
        exact_transport(cost, source, -target)
    cost[1, 2, 3] = float('nan')
    with pytest.raises(ValueError, match='cost must be finite.* 1 of'):
        exact_transport(cost, source, target)


def test_an_unsolved_problem_is_an_error(monkeypatch):
    monkeypatch.setattr('mmselfemd.transport.exact._MAX_PIVOTS', 1)
    with (
        pytest.raises(RuntimeError, match='did not solve problem 0 of 1'),
        pytest.warns(UserWarning),
    ):
        exact_transport(*problem(1, 40, 40))


def test_without_pot_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ot', None)
    with pytest.raises(ImportError, match=r'mmselfemd\[analysis\]'):
        exact_transport(*problem())


def test_the_package_works_without_pot():
    program = """
import sys
sys.modules['ot'] = sys.modules['geomloss'] = None
import torch
import mmselfemd, mmselfemd.transport, mmselfemd.models
cost, weights = torch.rand(1, 3, 3), torch.ones(1, 3)
print(mmselfemd.transport.sinkhorn(cost, weights, weights).flow.sum())
"""
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert 'tensor(1.' in done.stdout
