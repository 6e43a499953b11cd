"""Which device a config can run on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.device import utils as mmengine_device
from mmengine.logging import print_log

from mmselfemd.errors import UserError

#: Why a detector does not run on a GPU that is there, and the remedy.
NO_OPERATORS = (
    'mmcv was built without GPU operators. Install the CUDA toolkit of '
    "torch's version (nvcc) and run `make setup` again"
)


@contextmanager
def kept_device() -> Iterator[None]:
    """Give mmengine's device back as it was, around what runs a detector.

    It serves as a decorator, too.
    """
    device = mmengine_device.DEVICE
    try:
        yield
    finally:
        mmengine_device.DEVICE = device


def keep_detector_off_gpu(cfg: Config) -> None:
    """Run a detector on the CPU where mmcv was built without GPU operators.

    Pre-training needs none of them. A detector's NMS and RoIAlign would stop
    at the first batch, on a host that has a GPU and no ``nvcc``. All that
    follows within :func:`kept_device` is on the CPU then.

    Args:
        cfg (Config): The config of a run.

    Raises:
        UserError: If the run has a launcher: its processes expect GPUs.
    """
    is_detector = cfg.get('default_scope') == 'mmdet'
    if not is_detector or get_device() != 'cuda' or has_cuda_operators():
        return
    if cfg.get('launcher', 'none') != 'none':
        raise UserError(
            f'{NO_OPERATORS}, or train the detector in one process.'
        )
    print_log(
        f'The detector runs on the CPU: {NO_OPERATORS} to run it on the GPU.',
        logger='current',
        level=logging.WARNING,
    )
    # The only switch that mmengine has: it reads this when it moves the model.
    mmengine_device.DEVICE = 'cpu'


def has_cuda_operators() -> bool:
    """Whether mmcv was built with operators for the GPU.

    Returns:
        bool: True if it was.
    """
    from mmcv.ops import get_compiling_cuda_version

    return get_compiling_cuda_version() != 'not available'
