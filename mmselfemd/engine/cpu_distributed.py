"""Several processes on a host without an accelerator.

mmengine assumes one device a process: ``init_dist`` calls
``torch.cuda.set_device`` whatever the backend, the runner wraps the model
with ``device_ids=[LOCAL_RANK]``, and SyncBN refuses to train on a CPU.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.dist import init_dist
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch import cuda, distributed, nn
from torch.nn.modules.batchnorm import SyncBatchNorm

from mmselfemd.errors import UserValueError


class CPUDistributedRunner(Runner):
    """A runner for several processes without an accelerator.

    The processes talk by gloo. SyncBN becomes BN in the built model, so each
    process normalises by its own batch; the config that is dumped keeps
    SyncBN, so that a checkpoint can go on where there is a GPU.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Set up as usual, with gloo and no device.

        Args:
            env_cfg (dict): As for :class:`Runner`; the ``backend`` of
                ``dist_cfg`` has no meaning here.
        """
        if self.distributed and not distributed.is_initialized():
            init_gloo(self.launcher, env_cfg.get('dist_cfg', {}))
        super().setup_env(env_cfg)

    def wrap_model(
        self, model_wrapper_cfg: dict | None, model: nn.Module
    ) -> nn.Module:
        """Turn SyncBN into BN and wrap the model without a device.

        Args:
            model_wrapper_cfg (dict, optional): As for :class:`Runner`.
            model (nn.Module): The built model.

        Returns:
            nn.Module: The wrapped model.
        """
        if not self.distributed or is_model_wrapper(model):
            return super().wrap_model(model_wrapper_cfg, model)
        num_sync = sum(_is_sync_bn(module) for module in model.modules())
        if num_sync:
            self.logger.warning(
                'No GPU: %d SyncBN layers become BN. Each of the %d '
                'processes normalises by its own batch.',
                num_sync,
                self.world_size,
            )
            model = revert_sync_batchnorm(model)
        if model_wrapper_cfg is None:
            model_wrapper_cfg = dict(
                broadcast_buffers=False,
                find_unused_parameters=self.cfg.get(
                    'find_unused_parameters', False
                ),
            )
        return MODEL_WRAPPERS.build(
            {
                'type': 'MMDistributedDataParallel',
                **model_wrapper_cfg,
                'module': model,
                'device_ids': None,
            }
        )


def init_gloo(launcher: str, dist_cfg: dict) -> None:
    """Let the processes of a launcher find each other, without a device.

    Args:
        launcher (str): ``pytorch``, ``slurm`` or ``mpi``.
        dist_cfg (dict): As for mmengine's ``init_dist``; its ``backend`` has
            no meaning here.

    Raises:
        UserValueError: If the launcher's variables are not set.
    """
    try:
        with _no_device_is_set():
            init_dist(launcher, **dict(dist_cfg, backend='gloo'))
    except KeyError as error:
        raise UserValueError(
            f'--launcher {launcher}: the environment lacks {error}; was the '
            'tool started by that launcher (tools/dist_train.sh, '
            'tools/slurm_train.sh, mpirun)?'
        ) from error


def _is_sync_bn(module: nn.Module) -> bool:
    # mmcv's own (`MMSyncBN`) is known by its name: it needs no import then.
    return (
        isinstance(module, SyncBatchNorm)
        or type(module).__name__ == 'SyncBatchNorm'
    )


@contextmanager
def _no_device_is_set() -> Iterator[None]:
    set_device, cuda.set_device = cuda.set_device, lambda _: None
    try:
        yield
    finally:
        cuda.set_device = set_device


def leave_process_group() -> None:
    """Leave the process group, if there is one, at the end of a process."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
        # A thread of gloo still drops the tensors of the last collective, for
        # which it needs Python's lock; if Python is shutting down by then,
        # the process aborts ('terminate called without an active exception').
        time.sleep(1)
