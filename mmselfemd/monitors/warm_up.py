"""When the warm-up of the learning rate is over."""

from itertools import chain

from mmengine.optim import LinearParamScheduler
from mmengine.runner import Runner


def warm_up_iters(runner: Runner) -> int:
    """Length of the warm-up of the learning rate, by the run's schedulers.

    Known as one are ``LinearLR`` schedulers that raise it from the first
    iteration on.

    Args:
        runner (Runner): The runner of a training process, from
            ``before_train`` on.

    Returns:
        int: Iterations; 0 if there is no warm-up.
    """
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):  # of several optimisers
        schedulers = chain(*schedulers.values())
    return max(
        (
            scheduler.end
            * (len(runner.train_dataloader) if scheduler.by_epoch else 1)
            for scheduler in schedulers
            if isinstance(scheduler, LinearParamScheduler)
            and scheduler.param_name == 'lr'
            and scheduler.begin == 0
            and scheduler.start_factor < scheduler.end_factor
        ),
        default=0,
    )
