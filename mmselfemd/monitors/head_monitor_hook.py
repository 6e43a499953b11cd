"""Looks at what a head compares, once in a while."""

import logging
from abc import ABCMeta, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from mmselfemd.engine.model import unwrap_model
from mmselfemd.models.embedding import Embedding
from mmselfemd.models.heads import BYOLHead

from .warm_up import warm_up_iters

# No warning before this iteration where the learning rate has no warm-up: a
# network starts from outputs that differ little.
_BEGIN_WITHOUT_WARM_UP = 500

#: What a head compares: an embedding for each view of the batch's images.
Views = Sequence[Embedding]


class HeadMonitorHook(Hook, metaclass=ABCMeta):
    """Base of hooks that measure queries and keys at an interval.

    The figures go to the log and to every backend of the visualizer, as
    ``{prefix}/{name}``. What the head was given is kept for one iteration in
    ``interval``; the loss is not touched. A model with another kind of head
    is left alone.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 50.
        begin (int, optional): No warning before this iteration. Defaults to
            None: the end of the learning rate's warm-up, or 500 without one.
    """

    prefix: str
    head_type: type[nn.Module] = BYOLHead

    def __init__(self, interval: int = 50, begin: int | None = None) -> None:
        if interval < 1:
            raise ValueError(f'interval must be >= 1, but got {interval}')
        self.interval = interval
        self.begin = begin
        self._begin = _BEGIN_WITHOUT_WARM_UP if begin is None else begin
        self._warned: dict[str, tuple[int, int]] = {}
        self._is_due = False
        self._seen: tuple | None = None
        self._handle = None

    @abstractmethod
    def measure(
        self, runner: Runner, queries: Views, keys: Views, data_batch: dict
    ) -> dict[str, float]:
        """Measure one iteration.

        Args:
            runner (Runner): The runner of the training process.
            queries (Views): Predictions of all views, detached.
            keys (Views): Keys of the first views.
            data_batch (dict): The batch that they are of.

        Returns:
            dict[str, float]: Figures by name.
        """

    def before_train(self, runner: Runner) -> None:
        """Begin to watch the head."""
        if self.begin is None:
            self._begin = warm_up_iters(runner) or _BEGIN_WITHOUT_WARM_UP
        head = getattr(unwrap_model(runner.model), 'head', None)
        if self.watches(head):
            self._handle = head.register_forward_hook(self._watch)

    def watches(self, head: nn.Module | None) -> bool:
        """Whether there is something to be measured of a head.

        Args:
            head (nn.Module, optional): That of the model, if it has one.

        Returns:
            bool: True for a head of :attr:`head_type`.
        """
        return isinstance(head, self.head_type)

    def before_train_iter(self, runner: Runner, **kwargs) -> None:
        """Note whether this iteration is measured."""
        self._is_due = self.every_n_train_iters(runner, self.interval)

    def _watch(self, head: nn.Module, args: tuple, losses: dict) -> None:
        if self._is_due:
            self.keep(*args, losses)

    def keep(
        self, queries: Views, keys: Views, losses: dict[str, Tensor]
    ) -> None:
        """Keep what will be measured, right after the head has seen it.

        Args:
            queries (Views): Predictions of all views.
            keys (Views): Keys of the first views.
            losses (dict[str, Tensor]): What the head makes of them.
        """
        self._seen = tuple(
            [
                Embedding(*(x if x is None else x.detach() for x in view))
                for view in views
            ]
            for views in (queries, keys)
        )

    def after_train_iter(
        self, runner: Runner, data_batch: Any = None, **kwargs
    ) -> None:
        """Measure and log."""
        # What runs the model from here on, such as a validation, is not seen.
        self._is_due = False
        if self._seen is None:
            return
        seen, self._seen = self._seen, None
        if not _is_finite_everywhere(seen):
            return  # the step is another's matter; there is nothing to measure
        for name, value in self.measure(runner, *seen, data_batch).items():
            runner.message_hub.update_scalar(
                f'train/{self.prefix}/{name}', value
            )

    def warn(self, runner: Runner, kind: str, message: str) -> None:
        """Warn, not before ``begin``, and then after ever longer pauses.

        Args:
            runner (Runner): The runner of the training process.
            kind (str): What is warned of; each kind has pauses of its own.
            message (str): The warning.
        """
        first = (self._begin, max(self._begin, 1))
        time, pause = self._warned.get(kind, first)
        if runner.iter < time:
            return
        self._warned[kind] = (runner.iter + 2 * pause, 2 * pause)
        print_log(message, logger='current', level=logging.WARNING)

    def after_train(self, runner: Runner) -> None:
        """Watch no longer."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None


def _is_finite_everywhere(seen: Iterable[Iterable[Embedding]]) -> bool:
    """Whether all processes saw finite numbers, so that all go on alike."""
    tensors = [x for views in seen for view in views for x in view]
    flags = [x.isfinite().all() for x in tensors if x is not None]
    flag = torch.stack(flags).all().float()
    all_reduce(flag, 'min')
    return bool(flag)
