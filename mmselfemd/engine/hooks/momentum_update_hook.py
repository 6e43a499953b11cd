"""Keeps the key encoder a moving average of the query, Eq. 1."""

from math import cos, pi

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.optim import Optimizer

from mmselfemd.engine.model import optimizers_of, unwrap_model
from mmselfemd.registry import HOOKS

_LENGTH = 'key_momentum_length'  # in the message hub, and so in checkpoints


@HOOKS.register_module()
class MomentumUpdateHook(Hook):
    r"""Moves the key encoder after each step of the optimiser.

    The momentum follows BYOL's cosine over the run, in iterations k of K:

    .. math::
        m = m_{end} - (m_{end} - m_{base}) (\cos(\pi k / K) + 1) / 2

    At iteration 0 the key encoder is made equal to the query, whatever way
    the query got its weights (``init_weights``, ``init_cfg``, ``load_from``);
    a copy made earlier would not be. After a resume it is left as loaded.

    mmengine's ``ExponentialMovingAverage`` and mmpretrain's ``CosineEMA`` do
    not serve: their first update copies instead of averaging, and called in
    ``loss()`` they move once a forward pass, not once an optimiser step.

    Args:
        base_momentum (float): Momentum at the start, in [0, 1].
            Defaults to 0.99.
        end_momentum (float): Momentum at the end, in [0, 1].
            Defaults to 1.0.

    Raises:
        ValueError: If a momentum is outside [0, 1].
    """

    # Before CheckpointHook (VERY_LOW), so that what is saved is up to date.
    priority = 'NORMAL'

    def __init__(
        self, base_momentum: float = 0.99, end_momentum: float = 1.0
    ) -> None:
        for name, value in (
            ('base_momentum', base_momentum),
            ('end_momentum', end_momentum),
        ):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} must be in [0, 1], but got {value}')
        self.base_momentum = base_momentum
        self.end_momentum = end_momentum
        self._has_stepped = False

    def momentum(self, iteration: int, max_iters: int) -> float:
        """Momentum at an iteration.

        Args:
            iteration (int): Iteration k, from 0.
            max_iters (int): Iterations K of the whole run.

        Returns:
            float: Momentum m.
        """
        remaining = (cos(pi * iteration / max_iters) + 1) / 2
        return self.end_momentum - remaining * (
            self.end_momentum - self.base_momentum
        )

    def before_train(self, runner: Runner) -> None:
        """Claim the model and start from key = query.

        Raises:
            TypeError: If the model has no key encoder.
        """
        model = unwrap_model(runner.model)
        if not hasattr(model, 'update_key'):
            raise TypeError(
                'MomentumUpdateHook needs a model with a key encoder, such '
                f'as SelfEMD, but got {type(model).__name__}'
            )
        if runner.iter == 0:
            model.reset_key()
        self._warn_of_other_length(runner)
        model.has_momentum_hook = True
        self._has_stepped = False
        for optimizer in optimizers_of(runner.optim_wrapper):
            optimizer.register_step_post_hook(self._after_step)

    def _warn_of_other_length(self, runner: Runner) -> None:
        """Warn if a resumed run is longer or shorter than it was."""
        length, hub = runner.max_iters, runner.message_hub
        former = hub.get_info(_LENGTH, length)
        hub.update_info(_LENGTH, length)
        if former != length:
            runner.logger.warning(
                f'The key momentum was {self.momentum(runner.iter, former):g} '
                f'here, on a curve of {former} iterations; it goes on with '
                f'{self.momentum(runner.iter, length):g}, on one of {length}.'
            )

    def _after_step(
        self, optimizer: Optimizer, args: tuple, kwargs: dict
    ) -> None:
        """Note that the optimiser stepped.

        Only the optimiser knows: under accumulation it steps once in several
        iterations, and a gradient scaler that met an overflow does not call
        an unfused optimiser at all; a fused one it calls with ``found_inf``.
        Of several optimisers any step counts.
        """
        found_inf = getattr(optimizer, 'found_inf', None)
        self._has_stepped |= found_inf is None or not found_inf.item()

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Move the key encoder if the optimiser has stepped."""
        if not self._has_stepped:
            return
        self._has_stepped = False
        momentum = self.momentum(runner.iter, runner.max_iters)
        unwrap_model(runner.model).update_key(momentum)
        runner.message_hub.update_scalar('train/key_momentum', momentum)
