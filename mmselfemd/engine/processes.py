"""What one process decides for all, before there is a runner."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import (
    broadcast_object_list,
    init_dist,
    is_distributed,
    is_main_process,
)
from mmengine.utils.dl_utils import set_multi_processing
from torch import distributed

from mmselfemd.errors import UserError

from .cpu_distributed import init_gloo, leave_process_group

#: The others wait so long for the first. NCCL's 10 minutes are too few for a
#: look at the annotations of millions of images on a network disk.
_PATIENCE = timedelta(days=1)


def start_process_group(cfg: Config) -> None:
    """Let the processes of a launcher find each other, as the runner will.

    Args:
        cfg (Config): The config, with ``launcher`` and ``env_cfg``.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or is_distributed():
        return
    env_cfg = cfg.get('env_cfg') or {}
    set_multi_processing(**env_cfg.get('mp_cfg', {}), distributed=True)
    dist_cfg = env_cfg.get('dist_cfg', {})
    if get_device() == 'cpu':
        init_gloo(launcher, dist_cfg)
    else:
        init_dist(launcher, **dist_cfg)


def decided_by_first(decide: Callable, *args) -> Any:
    """What a function says in the first process, in all of them.

    Folders are not the same from every node, nor at every moment.

    Args:
        decide (Callable): The function.
        *args: Its arguments.

    Returns:
        Any: What it returns.

    Raises:
        Exception: In the first process the one that it raises. In the others
            the same if it is a :class:`UserError`, else a ``RuntimeError``
            that names it, since not every exception can be sent.
    """
    found = error = told = None
    group = _patient_group()
    if is_main_process():
        try:
            found = decide(*args)
        except UserError as caught:
            error = told = caught
        except Exception as caught:
            error, name = caught, type(caught).__name__
            told = RuntimeError(f'The first process failed: {name}: {caught}')
    outcome = [(found, told)]
    broadcast_object_list(outcome, group=group)
    found, told = outcome[0]
    if told is not None:
        leave_process_group()
        raise told if error is None else error
    return found


def _patient_group() -> distributed.ProcessGroup | None:
    if not is_distributed():
        return None
    return distributed.new_group(backend='gloo', timeout=_PATIENCE)
