"""A validation that a run leaves just before, made up for when it goes on."""

from mmengine.runner import IterBasedTrainLoop, Runner

from mmselfemd.random_state import kept_random_state

_DUE = 'validation_due'  # in the message hub


def note_due_validation(runner: Runner) -> None:
    """Write into the next checkpoint whether a validation would follow it.

    mmengine validates after the hooks of an iteration or an epoch, and a
    resumed run begins behind it.

    Args:
        runner (Runner): Within the hooks at the end of an iteration of a loop
            of iterations, or of an epoch of a loop of epochs.
    """
    loop = runner.train_loop
    by_iter = isinstance(loop, IterBasedTrainLoop)
    done = 1 + (runner.iter if by_iter else runner.epoch)
    end = runner.max_iters if by_iter else runner.max_epochs
    is_due = (
        runner.val_loop is not None
        and done >= loop.val_begin
        and (done % loop.val_interval == 0 or done == end)
    )
    runner.message_hub.update_info(_DUE, is_due)


def make_up_validation(runner: Runner) -> None:
    """Validate, if the checkpoint that a run goes on from says so.

    Args:
        runner (Runner): Before the first step of training, when all hooks are
            ready.
    """
    is_due = runner.message_hub.runtime_info.get(_DUE)
    if runner.val_loop is None or not is_due:
        return
    runner.message_hub.update_info(_DUE, False)
    with kept_random_state():
        runner.val_loop.run()
    runner.model.train()
