"""Non-convergence is told, at a bounded rate."""

import math
import threading
import warnings

import pytest
import torch

from mmselfemd.transport import ConvergenceWarning, sinkhorn
from mmselfemd.transport.convergence import (
    ConvergenceMonitor,
    convergence_monitor,
)

GOOD = torch.tensor([1e-4, 2e-5])
BAD = torch.tensor([0.25, 1e-4, float('nan'), 0.125])


def warned(monitor, residual, tol=1e-3):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        monitor.watch(residual, tol, 0.05, 100)
    return len(caught)


@pytest.fixture
def monitor():
    """The one of `sinkhorn`, as at the start of a process."""
    convergence_monitor.reset()
    yield convergence_monitor
    convergence_monitor.reset()


def test_the_message_says_how_bad_it_is_and_what_to_do():
    with pytest.warns(ConvergenceWarning) as caught:
        ConvergenceMonitor().watch(BAD, 1e-3, 0.05, 100)
    message = str(caught[0].message)
    assert '50% of 4' in message
    assert '0.25' in message and 'above 0.001' in message
    assert 'gamma=0.05' in message and 'max_iters=100' in message
    assert 'more iterations' in message
    # It converges sooner, and is least at one point: docs/transport.md.
    assert 'larger gamma' not in message
    assert issubclass(ConvergenceWarning, RuntimeWarning)


def test_the_first_call_and_then_one_in_an_interval_is_looked_at():
    monitor = ConvergenceMonitor(interval=5)
    reads, counts = [], []

    class Watched(torch.Tensor):
        def isfinite(self):
            reads.append(self)
            return super().isfinite()

    for _ in range(16):
        monitor.watch(GOOD.as_subclass(Watched), 1e-3, 0.05, 100)
        counts.append(len(reads))
    assert counts == [1] * 5 + [2] * 5 + [3] * 5 + [4]


def test_warnings_grow_as_the_logarithm_of_the_calls():
    monitor = ConvergenceMonitor(interval=3)
    calls = [n for n in range(2000) if warned(monitor, BAD)]
    pauses = [b - a for a, b in zip(calls, calls[1:], strict=False)]
    assert calls[0] == 0
    assert all(2 * a <= b for a, b in zip(pauses, pauses[1:], strict=False))
    assert len(calls) <= math.log2(2000)


def test_calls_that_take_turns_are_all_looked_at():
    """A step has a call for each pair of node counts; only one is bad."""
    for turns in (2, 3):
        for bad in range(turns):
            monitor = ConvergenceMonitor()
            assert any(
                warned(monitor, BAD if n % turns == bad else GOOD)
                for n in range(400)
            )


def test_a_nan_alone_does_not_warn():
    residual = torch.tensor([float('nan'), 1e-5, float('inf')])
    assert not warned(ConvergenceMonitor(), residual)


def test_reset_looks_at_the_next_call():
    monitor = ConvergenceMonitor()
    assert warned(monitor, BAD)
    assert not warned(monitor, BAD)
    monitor.reset()
    assert warned(monitor, BAD)


class Guarded(ConvergenceMonitor):
    """Its count is for whoever holds the lock."""

    @property
    def _calls_to_skip(self):
        assert self._lock.locked()
        return self._count

    @_calls_to_skip.setter
    def _calls_to_skip(self, count):
        assert self._lock.locked()
        self._count = count


def test_the_count_is_read_and_changed_under_the_lock_alone():
    monitor = Guarded(interval=3)
    assert warned(monitor, BAD)
    assert not warned(monitor, BAD)
    monitor.reset()
    assert warned(monitor, BAD)
    assert not monitor._lock.locked()


def test_many_threads_warn_as_seldom_as_one():
    monitor = ConvergenceMonitor(interval=1)
    failures = []

    def work():
        try:
            for _ in range(300):
                monitor.watch(BAD, 1e-3, 0.05, 100)
        except Exception as error:
            failures.append(error)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
    assert 1 <= len(caught) <= math.log2(4 * 300) + 4


def test_sinkhorn_warns_where_it_was_called(monitor):
    problem = torch.rand(4, 6, 7), torch.rand(4, 6), torch.rand(4, 7)
    with pytest.warns(ConvergenceWarning, match='max_iters=1') as caught:
        plan = sinkhorn(*problem, gamma=0.02, max_iters=1)
    assert not plan.converged.any()
    assert caught[0].filename == __file__


def test_sinkhorn_holds_the_residual_against_tol(monitor):
    problem = torch.rand(4, 6, 7), torch.rand(4, 6), torch.rand(4, 7)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        residual = sinkhorn(*problem, gamma=0.2, max_iters=10).residual
    assert residual.max() > 1e-12
    monitor.reset()
    with pytest.warns(ConvergenceWarning, match='above 1e-12'):
        plan = sinkhorn(*problem, gamma=0.2, max_iters=10, tol=1e-12)
    assert (plan.converged == (plan.residual <= 1e-12)).all()


def test_sinkhorn_with_a_nan_problem_does_not_warn(monitor):
    cost, source, target = torch.rand(3, 6, 7), torch.rand(3, 6), None
    target = torch.rand(3, 7)
    cost[1, 0, 0] = float('nan')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        plan = sinkhorn(cost, source, target, gamma=0.5)
    assert plan.converged.tolist() == [True, False, True]
