"""Several processes on a host without an accelerator.

mmengine assumes one device a process: ``init_dist`` calls
``torch.cuda.set_device`` whatever the backend, the runner wraps the model
with ``device_ids=[LOCAL_RANK]``, and SyncBN refuses to train on a CPU.
"""

import os
import subprocess
import time
from datetime import timedelta

from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch import distributed, nn
from torch.nn.modules.batchnorm import SyncBatchNorm

from mmselfemd.errors import UserValueError


class CPUDistributedRunner(Runner):
    """A runner for several processes without an accelerator.

    The processes talk by gloo. SyncBN becomes BN in the built model, so each
    process normalises by its own batch; the config that is dumped keeps
    SyncBN, so that a checkpoint can go on where there is a GPU.
    """

    def setup_env(self, env_cfg: dict) -> None:
        """Start the process group, then set up the rest as usual.

        Args:
            env_cfg (dict): As for :class:`Runner`; of ``dist_cfg`` only
                ``timeout`` (in seconds) has a meaning here.
        """
        if self.distributed and not distributed.is_initialized():
            timeout = env_cfg.get('dist_cfg', {}).get('timeout')
            init_gloo_process_group(self.launcher, timeout)
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


def _is_sync_bn(module: nn.Module) -> bool:
    # mmcv's own (`MMSyncBN`) is known by its name: it needs no import then.
    return (
        isinstance(module, SyncBatchNorm)
        or type(module).__name__ == 'SyncBatchNorm'
    )


def init_gloo_process_group(
    launcher: str, timeout: float | None = None
) -> None:
    """Start a gloo process group from a launcher's environment.

    Args:
        launcher (str): ``pytorch``, ``slurm`` or ``mpi``.
        timeout (float, optional): Seconds that a process waits for the
            others. Defaults to None, torch's own.

    Raises:
        ValueError: If the launcher is unknown, or its variables are not set.
    """
    readers = dict(
        pytorch=_pytorch_variables, slurm=_slurm_variables, mpi=_mpi_variables
    )
    if launcher not in readers:
        raise UserValueError(
            f'launcher: expected one of {", ".join(readers)}, got {launcher!r}'
        )
    try:
        variables = readers[launcher](os.environ)
    except KeyError as error:
        raise UserValueError(
            f'--launcher {launcher}: the environment variable '
            f'{error.args[0]} is not set; was the tool started by that '
            'launcher (tools/dist_train.sh, tools/slurm_train.sh, mpirun)?'
        ) from error
    os.environ.update(variables)
    distributed.init_process_group(
        backend='gloo',
        timeout=None if timeout is None else timedelta(seconds=timeout),
    )


def _pytorch_variables(env: os._Environ) -> dict[str, str]:
    names = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
    return {name: env[name] for name in names}


def _slurm_variables(env: os._Environ) -> dict[str, str]:
    nodes = env['SLURM_NODELIST']
    address = (
        env.get('MASTER_ADDR')
        or subprocess.run(
            ['scontrol', 'show', 'hostname', nodes],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()[0]
    )
    return dict(
        RANK=env['SLURM_PROCID'],
        WORLD_SIZE=env['SLURM_NTASKS'],
        LOCAL_RANK=env['SLURM_LOCALID'],
        MASTER_ADDR=address,
        MASTER_PORT=env.get('MASTER_PORT', '29500'),
    )


def _mpi_variables(env: os._Environ) -> dict[str, str]:
    return dict(
        RANK=env['OMPI_COMM_WORLD_RANK'],
        WORLD_SIZE=env['OMPI_COMM_WORLD_SIZE'],
        LOCAL_RANK=env['OMPI_COMM_WORLD_LOCAL_RANK'],
        MASTER_ADDR=env['MASTER_ADDR'],
        MASTER_PORT=env.get('MASTER_PORT', '29500'),
    )


def leave_process_group() -> None:
    """Leave the process group, if there is one, at the end of a process."""
    if distributed.is_initialized():
        distributed.destroy_process_group()
        # A thread of gloo still drops the tensors of the last collective, for
        # which it needs Python's lock; if Python is shutting down by then,
        # the process aborts ('terminate called without an active exception').
        time.sleep(1)
