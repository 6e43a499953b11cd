"""A warning where the iterations were too few, now and then."""

import threading
import warnings

import torch
from torch import Tensor


class ConvergenceWarning(RuntimeWarning):
    """Transport problems were left before they had converged."""


class ConvergenceMonitor:
    """Looks at the outcome of some calls, and warns if it is not good.

    A look makes the host wait for the device, and training solves the same
    kind of problem again and again. So the first call is looked at, and then
    one of every ``interval``; each warning doubles the interval, which gives
    O(log n) warnings in n calls.

    Args:
        interval (int): Calls from one look to the next, until the first
            warning. Odd by default, and odd it stays, so that calls that
            take turns are all seen. Defaults to 101.
    """

    def __init__(self, interval: int = 101) -> None:
        self._first_interval = interval
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Start again: the next call is looked at."""
        with self._lock:
            self._interval = self._first_interval
            self._calls_to_skip = 0

    def watch(
        self, residual: Tensor, tol: float, gamma: float, max_iters: int
    ) -> None:
        """Count a call, and look at its outcome if it is time to.

        A residual of NaN is no matter of iterations, and not counted: such a
        problem had a NaN or an infinity in it.

        Args:
            residual (Tensor): L1 errors of a marginal, (B,).
            tol (float): The largest that counts as converged.
            gamma (float): Strength of the entropy, for the message.
            max_iters (int): Number of iterations, for the message.
        """
        if not self._is_time():
            return
        # How many, and how bad, in one transfer from the device.
        open_ = (residual > tol) & residual.isfinite()
        worst = residual.where(open_, 0).amax()
        num_open, worst = torch.stack((open_.sum().to(worst), worst)).tolist()
        if not num_open:
            return
        with self._lock:
            self._interval = 2 * self._interval + 1
            self._calls_to_skip = self._interval - 1
        warnings.warn(
            f'{num_open / len(residual):.0%} of {len(residual)} transport '
            f'problems did not converge: the residual is up to {worst:.2g}, '
            f'above {tol:.2g}, with gamma={gamma:g} and max_iters='
            f'{max_iters}. Take more iterations. The next '
            f'{self._interval - 1} calls are not looked at.',
            ConvergenceWarning,
            # Past this, `sinkhorn` and its wrapper, to the caller.
            stacklevel=4,
        )

    def _is_time(self) -> bool:
        with self._lock:
            if self._calls_to_skip:
                self._calls_to_skip -= 1
                return False
            self._calls_to_skip = self._interval - 1
            return True


# Of all calls of `sinkhorn` in this process.
convergence_monitor = ConvergenceMonitor()
