"""Optimiser wrappers that leave out a step that is not finite.

An optimiser's step is left out, by all processes alike, if a loss of it or
the gradient is not finite: after the gradients are averaged over the
processes, each asks the others, so one NaN anywhere stops all. Then

- the parameters and the optimiser's state stay, and so does the key encoder,
  which moves only after a real step;
- every buffer of the model goes back to what it was before the step: a
  forward pass with a NaN leaves NaN in BN's running statistics, of the query
  and of the key encoder;
- the log names the images (``img_path`` of the data samples);
- after so many such steps in a row the run stops, and names its last
  checkpoint.

The schedules of learning rate and key momentum go by iterations and do not
wait. Under gradient accumulation all micro-batches of the optimiser's step
are left out: their gradients are one sum by then.

What it costs: a copy of the buffers and the norm of each gradient, once a
step; and, to decide, one wait for the device and a reduction of two
numbers, before the optimiser's kernels are launched. mmengine itself waits
once an iteration, when it logs the loss.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.logging import print_log
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import Tensor, nn

from mmselfemd.engine.finite_state import way_out
from mmselfemd.engine.model import unwrap_model
from mmselfemd.errors import UserError
from mmselfemd.registry import OPTIM_WRAPPERS

from .buffer_snapshot import BufferSnapshot

#: How many images of a skipped step the log names.
MAX_NAMED_IMAGES = 8


class NonFiniteStepsError(UserError, ArithmeticError):
    """Too many steps in a row had a non-finite loss or gradient."""


class _SkipNonFinite:
    """What is added to mmengine's wrappers; the module says what and why."""

    def __init__(self, *args, max_skipped: int = 10, **kwargs) -> None:
        if max_skipped < 1:
            raise ValueError(
                f'max_skipped must be at least 1, but got {max_skipped}'
            )
        super().__init__(*args, **kwargs)
        self.max_skipped = max_skipped
        self.skipped_in_a_row = 0
        self._snapshot: BufferSnapshot | None = None
        self._is_open = False  # a step has begun, and is not over
        self._batches: list[Any] = []  # of the micro-batches of this step
        self._losses: list[Tensor] = []  # likewise

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Around the forward pass: keep the buffers as they were before it.

        One without gradients, as precise BN has it, is no part of a step,
        and is not kept.

        Args:
            model (nn.Module): The model, perhaps in its wrapper.
        """
        if not torch.is_grad_enabled():
            with super().optim_context(model):
                yield
            return
        if self._snapshot is None:
            self._snapshot = BufferSnapshot(model)
        if not self._losses:  # the first micro-batch of a step
            self._batches.clear()
            self._snapshot.save()
            self._is_open = True
        # The one place where a batch passes by: train_step hands it to the
        # preprocessor, and to the wrapper the loss alone.
        preprocessor = unwrap_model(model).data_preprocessor
        handle = preprocessor.register_forward_pre_hook(self._note_batch)
        try:
            with super().optim_context(model):
                yield
        finally:
            handle.remove()

    def _note_batch(self, preprocessor: nn.Module, args: tuple) -> None:
        batch = args[0] if args else None
        is_dict = isinstance(batch, dict)
        self._batches.append(batch.get('data_samples') if is_dict else None)

    def update_params(self, loss: Tensor, *args, **kwargs) -> None:
        """Note the loss; then as mmengine does.

        Args:
            loss (Tensor): The loss of a (micro-)batch, a scalar.
            *args: As for :meth:`OptimWrapper.update_params`.
            **kwargs: Likewise.
        """
        self._losses.append(loss.detach())
        super().update_params(loss, *args, **kwargs)

    def step(self, **kwargs) -> None:
        """Step the optimiser if the losses and the gradient are finite.

        Args:
            **kwargs: As for :meth:`OptimWrapper.step`.

        Raises:
            NonFiniteStepsError: After ``max_skipped`` steps in a row that
                were not.
        """
        gradient = torch.stack(self._gradient_norms()).isfinite().all()
        # A model may go backward by itself: no loss has passed by then.
        loss = torch.ones_like(gradient)
        if self._losses:
            loss = torch.stack(self._losses).isfinite().all()
        bad = torch.stack([loss, gradient]).logical_not().int()
        all_reduce(bad, op='max')
        bad_loss, bad_gradient = bad.tolist()
        if bad_loss or (bad_gradient and self._is_gradients_own_fault()):
            self._skip('loss' if bad_loss else 'gradient')
        else:
            self.skipped_in_a_row = 0
            super().step(**kwargs)
        self._losses.clear()
        self._is_open = False

    def undo_forward(self) -> None:
        """Put back the buffers if a step has begun that will not end."""
        if self._is_open:
            self._snapshot.restore()

    def _gradient_norms(self) -> list[Tensor]:
        gradients = [
            parameter.grad
            for group in self.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if not gradients:
            return [torch.zeros_like(loss) for loss in self._losses] or [
                torch.zeros(())
            ]
        # A gradient above 1e19, whose squares overflow, counts as infinite.
        # The largest entry would not, and takes 18 times as long on a CPU.
        return list(torch._foreach_norm(gradients))

    def _is_gradients_own_fault(self) -> bool:
        return True

    def _skip(self, what: str) -> None:
        self._snapshot.restore()
        self.skipped_in_a_row += 1
        iteration = self.message_hub.get_info('iter', 0) + 1
        print_log(
            f'Non-finite {what} at iteration {iteration}: the step is left '
            f'out on every process, {self.skipped_in_a_row} in a row of at '
            f'most {self.max_skipped}. Its images: {self._images(what)}',
            logger='current',
            level=logging.WARNING,
        )
        if self.skipped_in_a_row >= self.max_skipped:
            last = self.message_hub.get_info('last_ckpt', None)
            raise NonFiniteStepsError(
                f'{self.skipped_in_a_row} steps in a row had a non-finite '
                f'loss or gradient, the last at iteration {iteration}; the '
                f'log names their images. {way_out(last)}'
            )

    def _images(self, what: str) -> str:
        """Names of the images that may be at fault, of all processes."""
        suspects = self._batches
        if what == 'loss':
            suspects = [
                samples
                for samples, loss in zip(suspects, self._losses, strict=False)
                if not loss.isfinite()
            ]
        names = [
            str(getattr(sample, 'img_path', 'unnamed'))
            for samples in suspects
            for sample in samples or ()
        ]
        found = all_gather_object((names[:MAX_NAMED_IMAGES], len(names)))
        named = sum((names for names, _ in found), [])[:MAX_NAMED_IMAGES]
        rest = sum(count for _, count in found) - len(named)
        return (', '.join(named) or 'not known') + (
            f' and {rest} more' if rest else ''
        )


@OPTIM_WRAPPERS.register_module()
class FiniteOptimWrapper(_SkipNonFinite, OptimWrapper):
    """An ``OptimWrapper`` that leaves out a step that is not finite.

    What happens then, and what it costs, is said at the top of the module.

    Args:
        *args: As for :class:`mmengine.optim.OptimWrapper`.
        **kwargs: Likewise.
        max_skipped (int): After so many steps in a row that are left out the
            run stops. Defaults to 10.

    Raises:
        ValueError: If ``max_skipped`` is less than 1.
    """


@OPTIM_WRAPPERS.register_module()
class FiniteAmpOptimWrapper(_SkipNonFinite, AmpOptimWrapper):
    """An ``AmpOptimWrapper`` that leaves out a step that is not finite.

    A gradient that overflows because the loss was scaled up is the scaler's
    to handle: it leaves out the step and lowers the scale, which is normal at
    the start, and not counted here. A gradient that is not finite at a scale
    of 1, or at a scale that was set by hand, is.

    Args:
        *args: As for :class:`mmengine.optim.AmpOptimWrapper`.
        **kwargs: Likewise.
        max_skipped (int): As for :class:`FiniteOptimWrapper`.
            Defaults to 10.
    """

    def _is_gradients_own_fault(self) -> bool:
        is_fixed = self._scale_update_param is not None
        return is_fixed or self.loss_scaler.get_scale() <= 1
