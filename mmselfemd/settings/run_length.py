"""A config's schedule over another length."""

from math import ceil

from mmengine.config import Config

from mmselfemd.errors import UserValueError
from mmselfemd.plurals import counted

#: Of a schedule of the learning rate: what counts epochs or iterations.
_PLACES = ('begin', 'end', 'T_max')


class TooFewImagesError(UserValueError):
    """A run has fewer images than a step takes; ends with the settings."""


def set_iterations(cfg: Config, iterations: int, num_images: int) -> int:
    """Let a run take so many iterations, its learning rate in proportion.

    Warm-up, steps and ends of the schedules come where they were as shares of
    the run. A run that counts epochs gets the nearest number of whole ones.

    Args:
        cfg (Config): The config; changed.
        iterations (int): At least 1.
        num_images (int): Images of training.

    Returns:
        int: The iterations that the run will take.

    Raises:
        TooFewImagesError: If there are fewer images than one batch takes,
            where incomplete batches are dropped.
    """
    in_epoch = 1
    if counts_epochs(cfg):
        in_epoch = iterations_in_epoch(cfg, num_images)
        epochs = max(1, round(iterations / in_epoch))
        _set_length(cfg, 'max_epochs', epochs)
    else:
        _set_length(cfg, 'max_iters', iterations)
    if isinstance(cfg.get('param_scheduler'), list):
        _drop_warm_ups_of_one_step(cfg, in_epoch)
        # Of a short run, those that fall between two epochs or iterations.
        cfg.param_scheduler = [
            each
            for each in cfg.param_scheduler
            if each.get('end') is None or each.get('begin', 0) < each['end']
        ]
    return iterations_of(cfg, num_images)


def iterations_of(cfg: Config, num_images: int) -> int:
    """How many iterations a run on one device takes.

    Args:
        cfg (Config): Its config.
        num_images (int): Images of training.

    Returns:
        int: At least 1.

    Raises:
        TooFewImagesError: See :func:`set_iterations`.
    """
    if counts_epochs(cfg):
        in_epoch = iterations_in_epoch(cfg, num_images)
        return cfg.train_cfg.max_epochs * in_epoch
    return cfg.train_cfg.max_iters


def counts_epochs(cfg: Config) -> bool:
    """Whether the length of a run is in epochs.

    Args:
        cfg (Config): Its config.

    Returns:
        bool: Else it is in iterations.
    """
    return 'max_epochs' in cfg.train_cfg


def iterations_in_epoch(cfg: Config, num_images: int) -> int:
    """Iterations of an epoch of a run on one device.

    Args:
        cfg (Config): Its config.
        num_images (int): Images of training.

    Returns:
        int: At least 1.

    Raises:
        TooFewImagesError: See :func:`set_iterations`.
    """
    loader = cfg.train_dataloader
    batches = num_images / loader.batch_size
    whole = int(batches) if loader.get('drop_last') else ceil(batches)
    counts = cfg.optim_wrapper.get('accumulative_counts', 1)
    found = whole // counts * counts
    if not found:
        do_not = 'does not' if num_images == 1 else 'do not'
        raise TooFewImagesError(
            f'{counted(num_images, "image")} {do_not} fill a step of '
            f'{loader.batch_size} x {counts} images: set a smaller '
            'train_dataloader.batch_size or optim_wrapper.accumulative_counts'
        )
    return found


def _set_length(cfg: Config, name: str, length: int) -> None:
    former = cfg.train_cfg[name]
    cfg.train_cfg[name] = length
    schedules = cfg.get('param_scheduler') or []
    for each in schedules if isinstance(schedules, list) else [schedules]:
        # Not a warm-up by iterations in a run by epochs.
        if each.get('by_epoch', True) == (name == 'max_epochs'):
            _stretch(each, length, former)


def _drop_warm_ups_of_one_step(cfg: Config, in_epoch: int) -> None:
    """Let what follows such a warm-up begin in its place.

    mmengine sets the first rate of a ``LinearLR`` at its begin, and raises it
    from the next step on: of one step it would stay for the whole run.
    """
    schedules = cfg.param_scheduler
    for warm_up in list(schedules):
        by_epoch = warm_up.get('by_epoch', True)
        converted = by_epoch and warm_up.get('convert_to_iter_based')
        begin, end = warm_up.get('begin', 0), warm_up.get('end')
        is_linear = warm_up['type'].split('.')[-1] == 'LinearLR'
        if not is_linear or end is None:
            continue
        if (end - begin) * (in_epoch if converted else 1) > 1:
            continue
        schedules.remove(warm_up)
        for each in schedules:
            alike = each.get('by_epoch', True) == by_epoch
            if alike and each.get('begin', 0) == end:
                each['begin'] = begin
                if 'T_max' in each:
                    each['T_max'] += end - begin


def _stretch(schedule: dict, length: int, former: int) -> None:
    """Let one schedule go with a run whose length was another."""

    def scaled(place: int) -> int:
        return place and max(1, round(place * length / former))

    def duration(run_length: int) -> int:
        end = schedule.get('end')
        return (run_length if end is None else end) - schedule.get('begin', 0)

    is_whole = schedule.get('T_max') == duration(former)
    for place in _PLACES:
        if schedule.get(place) is not None:
            schedule[place] = scaled(schedule[place])
    if is_whole:  # each place by itself is rounded
        schedule['T_max'] = duration(length)
    if 'milestones' in schedule:
        steps = {scaled(step) for step in schedule['milestones']}
        schedule['milestones'] = sorted(s for s in steps if s < length)
