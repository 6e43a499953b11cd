"""Where the time of a training step goes: its parts, within it and alone."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from time import perf_counter, process_time
from unittest.mock import patch

import torch
from mmengine.device import get_device
from step_contestants import Step
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from mmselfemd.models import EMDHead, SelfEMD, SPCNeck
from mmselfemd.models.pointwise_mlp import PointwiseMLP

Method = tuple[object, str]  # an object, and a method's name


def now() -> float:
    """Seconds: a GPU's when its work is done, else of this process's CPU."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return perf_counter()
    return process_time()


class Stopwatch:
    """A step whose parts are timed; what runs inside another counts once.

    It waits for the device at each border, which costs a GPU some speed: time
    the step itself without it.

    Args:
        step (Step): The step.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = [0.0]  # seconds of the parts inside each open one

    def __call__(self) -> None:
        with ExitStack() as stack:
            for name, methods in self._parts().items():
                for owner, method in methods:
                    timed = self._timed(getattr(owner, method), name)
                    stack.enter_context(patch.object(owner, method, timed))
            with self._part('rest'):
                self.step()

    def shares(self) -> dict[str, float]:
        """Share of each part in all steps so far; they sum to one."""
        total = sum(self.seconds.values())
        names = [*self._parts(), 'rest']
        return {name: self.seconds[name] / total for name in names}

    def _parts(self) -> dict[str, list[Method]]:
        model, wrapper = self.step.model, self.step.optim_wrapper
        return {
            'backbone': [(model.backbone, 'forward')],
            'heads': [
                (model.neck, 'forward'),
                (model.head, 'predict'),
                (model.head, 'forward'),
            ],
            'pyramid': pyramids(model),
            'transport': transport(model),
            'key encoder': [(model, 'key_encoder')],
            'backward': [(wrapper, 'backward')],
            'optimiser': [(wrapper, 'step'), (wrapper, 'zero_grad')],
            'momentum': [(model, 'update_key')],
        }

    def _timed(self, function: Callable, name: str) -> Callable:
        @wraps(function)
        def timed(*args, **kwargs):
            with self._part(name):
                return function(*args, **kwargs)

        return timed

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        start = now()
        self._inside.append(0.0)
        yield
        elapsed = now() - start
        self.seconds[name] += elapsed - self._inside.pop()
        self._inside[-1] += elapsed


class Recording:
    """Calls of a step, to be repeated by themselves, there and back.

    The backward pass of a part cannot be told from that of the others within
    a step. Alone, each call is made with the tensors that it had in the step,
    and followed by a backward pass of its own where it had one.

    Args:
        step (Step): The step; its forward pass is taken once.
        methods (Iterable[tuple[nn.Module, str]]): Whose calls are recorded.
        wanted (Callable): Given a call's arguments, whether it counts.
            Defaults to all of them.
    """

    def __init__(
        self,
        step: Step,
        methods: Iterable[Method],
        wanted: Callable[..., bool] = lambda *args: True,
    ) -> None:
        self.step = step
        self._calls: list[Callable[[], None]] = []
        with ExitStack() as stack:
            for owner, method in methods:
                recorded = self._recorded(
                    owner, getattr(owner, method), wanted
                )
                stack.enter_context(patch.object(owner, method, recorded))
            step.loss()

    def __call__(self) -> None:
        for call in self._calls:
            call()
        self.step.optim_wrapper.zero_grad()

    def _recorded(
        self, owner: nn.Module, function: Callable, wanted: Callable
    ) -> Callable:
        @wraps(function)
        def recorded(*args):
            if wanted(*args):
                self._calls.append(_repeat(owner, function, args))
            return function(*args)

        return recorded


def emd_alone(step: Step) -> Recording:
    """Pyramid and transport, of queries and keys."""
    return Recording(step, pyramids(step.model) + transport(step.model))


def dense_head_alone(step: Step) -> Recording:
    """What projects and predicts nodes, and what gives their weights."""
    mlps = [
        (part, 'forward')
        for part in step.model.modules()
        if isinstance(part, PointwiseMLP)
    ]
    return Recording(step, mlps, lambda x: x[0, 0].numel() > 1)


def pyramids(model: SelfEMD) -> list[Method]:
    """All pyramids, wherever they sit."""
    return [
        (part, 'forward')
        for part in model.modules()
        if isinstance(part, SPCNeck)
    ]


def transport(model: SelfEMD) -> list[Method]:
    """Costs, marginals, flows and the loss of them, Eq. 4-15."""
    head = model.head
    return [(head, 'emd_loss')] if isinstance(head, EMDHead) else []


def _repeat(
    owner: nn.Module, function: Callable, args: tuple
) -> Callable[[], None]:
    """A call under the conditions of now, with its backward pass."""
    with_gradient = torch.is_grad_enabled()
    training = owner.training
    device = get_device()
    autocast = dict(
        enabled=torch.is_autocast_enabled(device),
        dtype=torch.get_autocast_dtype(device),
    )
    args = _detached(args)

    def repeat() -> None:
        inputs = _detached(args)
        owner.train(training)
        with (
            torch.set_grad_enabled(with_gradient),
            torch.autocast(device, **autocast),
        ):
            ends = [
                each
                for each in tree_leaves(function(*inputs))
                if isinstance(each, Tensor) and each.requires_grad
            ]
        owner.train()
        if ends:
            torch.autograd.backward(ends, [end.detach() for end in ends])

    return repeat


def _detached(args: tuple) -> tuple:
    """The same tensors, each a leaf of its own."""
    return tree_map_only(
        Tensor, lambda t: t.detach().requires_grad_(t.requires_grad), args
    )
