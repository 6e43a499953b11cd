"""Keeps of each logged scalar what the log reads, not the whole run."""

from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner

from mmselfemd.errors import UserValueError
from mmselfemd.registry import HOOKS

_MMENGINES_LENGTH = HistoryBuffer().max_length


@HOOKS.register_module()
class BoundedHistoryHook(Hook):
    """Bounds the message hub's history of each scalar.

    mmengine's ``HistoryBuffer`` copies its whole history, of up to a million
    values, each time that it takes one more, and each checkpoint has all of
    it. So an iteration takes ever longer, and checkpoints grow. The buffer
    has a ``max_length``, but the message hub leaves it at its default: this
    hook sets it to what the run's log processor reads, so that the log and
    its files stay as they are:

    - the latest value, or ``log_processor.window_size`` of those that it
      averages (losses, times and norms of gradients);
    - what ``log_processor.custom_cfg`` asks for: a number of values, or those
      of an epoch. For ``'global'``, which may be any statistic of the whole
      run, that scalar stays as mmengine has it, with a warning;
    - the times of a whole validation, which mmengine averages.

    Histories of a checkpoint, whole ones of mmengine's too, are cut likewise.

    Args:
        min_length (int): How many values of each scalar to keep at least, for
            a hook that asks the message hub for them. Defaults to 1.

    Raises:
        UserValueError: If ``min_length`` is less than 1.
    """

    priority = 'VERY_HIGH'  # ahead of those that log after a resume

    def __init__(self, min_length: int = 1) -> None:
        if min_length < 1:
            raise UserValueError(
                'BoundedHistoryHook: min_length must be at least 1, but got '
                f'{min_length}'
            )
        self.min_length = min_length
        self._num_bounded = 0

    def before_train(self, runner: Runner) -> None:
        """Cut what the checkpoint brought."""
        self._num_bounded = 0
        self._bound(runner)

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Bound the scalars that were logged for the first time."""
        self._bound(runner)

    def _bound(self, runner: Runner) -> None:
        scalars = runner.message_hub.log_scalars
        # It is ordered, and no scalar ever leaves it.
        for key in list(scalars)[self._num_bounded :]:
            length = max(self.min_length, _length_to_log(runner, key))
            logs, counts = scalars[key].data
            scalars[key] = HistoryBuffer(
                logs[-length:], counts[-length:], length
            )
        self._num_bounded = len(scalars)


def _length_to_log(runner: Runner, key: str) -> int:
    """How many values of a scalar the log processor may read."""
    processor = runner.log_processor
    mode, _, name = key.partition('/')
    # With `log_with_hierarchy` it looks at the whole key as well.
    is_averaged = any(map(processor.mean_pattern.search, (name, key)))
    lengths = [processor.window_size if is_averaged else 1]
    if mode == 'val' and name in ('time', 'data_time'):
        lengths.append(_length_of_epoch(runner, mode))
    for custom in processor.custom_cfg:
        window = custom.get('window_size')
        is_current = custom.get('method_name') == 'current'
        if custom['data_src'] != name or is_current:
            continue
        if window == 'epoch':
            lengths.append(_length_of_epoch(runner, mode))
        elif isinstance(window, int):
            lengths.append(window)
        else:
            lengths.append(_MMENGINES_LENGTH)
            runner.logger.warning(
                f"log_processor.custom_cfg asks for a 'global' statistic of "
                f'{key}: its whole history is kept and copied at each '
                'iteration, which takes ever longer, and saved in each '
                'checkpoint.'
            )
    return max(lengths)


def _length_of_epoch(runner: Runner, mode: str) -> int:
    if mode == 'train':
        return len(runner.train_dataloader)
    # mmengine reads one value more than a validation has batches.
    return len(runner.val_dataloader) + 1 if runner.val_loop else 1
