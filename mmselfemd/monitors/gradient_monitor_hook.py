"""Tells how much of the backbone's gradient comes from the flow."""

from collections.abc import Sequence
from math import inf

import torch
from mmengine.runner import Runner
from torch import Tensor

from mmselfemd.engine.model import unwrap_model
from mmselfemd.models.heads import EMDHead
from mmselfemd.registry import HOOKS

from .head_monitor_hook import HeadMonitorHook, Views


@HOOKS.register_module()
class GradientMonitorHook(HeadMonitorHook):
    r"""Measures the share of ``loss_emd`` in the backbone's gradient.

    It logs ``gradient/emd_share``, from the lengths of the gradients of the
    two losses, as weighted, by the backbone's parameters:

    .. math::
        \frac{\|\nabla L_{EMD}\|}
              {\|\nabla L_{EMD}\| + \|\nabla \lambda L_{BYOL}\|}

    It is that of this process's share of one batch, at the first iteration
    and then at an interval. Each costs two more backward passes.

    Args:
        interval (int): Iterations from one measurement to the next.
            Defaults to 500.
    """

    prefix = 'gradient'
    head_type = EMDHead

    def __init__(self, interval: int = 500) -> None:
        super().__init__(interval)

    def before_train(self, runner: Runner) -> None:
        """Begin to watch the head, if gradients can be taken apart."""
        super().before_train(runner)
        if self._handle is None:  # another kind of head
            return
        backbone = unwrap_model(runner.model).backbone
        self._parameters = [
            p for p in backbone.parameters() if p.requires_grad
        ]
        self._scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        reason = _reason_against(runner, self._parameters)
        if reason:
            runner.logger.info(f'gradient/emd_share is not measured: {reason}')
            self.after_train(runner)

    def before_train_iter(self, runner: Runner, **kwargs) -> None:
        """Note whether this iteration is measured; the first one is."""
        self._is_due = runner.iter % self.interval == 0

    def keep(
        self, queries: Views, keys: Views, losses: dict[str, Tensor]
    ) -> None:
        """Take the gradients, while the graph of the losses is there."""
        super().keep(queries, keys, losses)
        # On the step's own graph, before the step goes through it: no second
        # forward pass, which would have statistics and generators to put
        # back. `autograd.grad` hands gradients over instead of adding them to
        # `.grad`, so that neither those of an accumulation nor DDP, which
        # waits for that addition, notice; norms that ask other processes in
        # their backward pass find all of them here at the same iteration.
        self._norms = [
            self._gradient_norm(losses[name])
            for name in ('loss_emd', 'loss_byol')
        ]

    def _gradient_norm(self, loss: Tensor) -> Tensor:
        if self._scaler is not None:  # else half precision may underflow
            loss = self._scaler.scale(loss)
        with torch.autocast(loss.device.type, enabled=False):
            gradients = torch.autograd.grad(
                loss, self._parameters, retain_graph=True, allow_unused=True
            )
        norms = torch._foreach_norm([g for g in gradients if g is not None])
        return torch.stack([loss.new_zeros(()), *norms]).norm()

    def measure(self, *args) -> dict[str, float]:
        """The share, from the gradients that were kept.

        Returns:
            dict[str, float]: ``emd_share``, in [0, 1]; nothing where the
            gradients are zero or not finite.
        """
        emd, byol = torch.stack(self._norms).tolist()
        is_known = 0 < emd + byol < inf  # False for NaN too
        return dict(emd_share=emd / (emd + byol)) if is_known else {}


def _reason_against(runner: Runner, parameters: Sequence[Tensor]) -> str:
    """Why the gradients of a run cannot be taken apart, or nothing."""
    if not parameters:
        return 'no parameter of the backbone is trained.'
    if runner.cfg.get('compile'):
        return 'a compiled step has no graph that can be gone through twice.'
    backbone = unwrap_model(runner.model).backbone
    if runner.cfg.get('activation_checkpointing') or any(
        getattr(part, 'with_cp', False) for part in backbone.modules()
    ):
        return (
            'its checkpointed blocks would be computed, and its norms fed, '
            'once more.'
        )
    return ''
