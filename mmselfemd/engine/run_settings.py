"""Settings of the command line, put into a config."""

import logging
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log

from mmselfemd.datasets.pipelines import type_name
from mmselfemd.errors import (
    UserError,
    UserFileExistsError,
    UserFileNotFoundError,
)
from mmselfemd.settings.cfg_options import suggest
from mmselfemd.zoo.index import SCHEME, find_model

from .processes import decided_by_first
from .resume import checkpoint_folder, find_checkpoint_to_resume


def set_amp(cfg: Config) -> None:
    """Turn mixed precision on; without a GPU a line says that it stays off.

    Args:
        cfg (Config): The config; changed.

    Raises:
        UserError: If the config has an optimiser wrapper of its own.
    """
    cfg.optim_wrapper.setdefault('type', 'OptimWrapper')
    name = type_name(cfg.optim_wrapper)
    with_amp = dict(
        OptimWrapper='AmpOptimWrapper',
        FiniteOptimWrapper='mmselfemd.FiniteAmpOptimWrapper',
    )
    if name not in (*with_amp, 'AmpOptimWrapper', 'FiniteAmpOptimWrapper'):
        raise UserError(
            f'--amp: the config has its own optim_wrapper.type, {name}; set '
            'mixed precision there'
        )
    if get_device() == 'cpu':
        # AmpOptimWrapper refuses to be built here.
        print_log(
            '--amp: this host has no GPU; training goes on in float32.',
            logger='current',
            level=logging.WARNING,
        )
        return
    if name in with_amp:
        cfg.optim_wrapper.type = with_amp[name]
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def allow_determinism(cfg: Config) -> None:
    """Set what cuBLAS needs to give the same twice, where a config asks.

    With ``randomness.deterministic`` torch refuses its matrix products
    without it. cuBLAS reads it when it is first used.

    Args:
        cfg (Config): The config.
    """
    if (cfg.get('randomness') or {}).get('deterministic'):
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')


def set_auto_scale_lr(cfg: Config) -> None:
    """Scale the learning rate by the batch size.

    Args:
        cfg (Config): The config; changed.

    Raises:
        UserError: If it does not say which batch its learning rate is for.
    """
    if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
        raise UserError(
            "--auto-scale-lr: the config has no 'auto_scale_lr."
            "base_batch_size'; add auto_scale_lr = dict(base_batch_size=N), "
            'the batch size that the learning rate is meant for'
        )
    cfg.auto_scale_lr.enable = True


def set_resume(cfg: Config, resume: str | None) -> None:
    """Go on from a checkpoint, or refuse to start among those of another run.

    A run that starts there and dies before its first checkpoint would be
    resumed from the other's. The first process decides for all.

    Args:
        cfg (Config): The config; changed.
        resume (str, optional): ``'auto'``, for the run's last checkpoint if
            there is one, or the path of a checkpoint. None starts anew,
            unless the config itself says ``resume``.

    Raises:
        UserError: If there is no such file, or a run starts anew, or from
            the checkpoint of another folder, in one with checkpoints.
    """
    if resume is None:
        if not cfg.get('resume'):
            decided_by_first(_check_unused, cfg)
        return
    if resume != 'auto':
        check_checkpoint(resume)
        if os.path.realpath(os.path.dirname(resume)) not in map(
            os.path.realpath, _folders(cfg)
        ):
            decided_by_first(_check_unused, cfg)
        cfg.resume, cfg.load_from = True, resume
        return
    latest = decided_by_first(_last_checkpoint, cfg)
    if latest is None:
        # Unlike in mmdet's tool, `load_from` still counts then: a job that
        # always says --resume begins with the weights that its config names.
        print_log(
            f"--resume: no checkpoint of '{cfg.work_dir}' yet; starting from "
            'the beginning.',
            logger='current',
        )
        cfg.resume = False
        return
    cfg.resume, cfg.load_from = True, latest


def _last_checkpoint(cfg: Config) -> str | None:
    return find_checkpoint_to_resume(
        *_folders(cfg), _checkpoint_hook(cfg).get('filename_tmpl')
    )


def _folders(cfg: Config) -> tuple[str, Path]:
    work_dir = os.path.abspath(cfg.work_dir)  # as mmengine compares it
    out_dir = _checkpoint_hook(cfg).get('out_dir')
    return work_dir, checkpoint_folder(work_dir, out_dir)


def _checkpoint_hook(cfg: Config) -> dict:
    return cfg.get('default_hooks', {}).get('checkpoint') or {}


def _check_unused(cfg: Config) -> None:
    try:
        found = _last_checkpoint(cfg)
    except UserFileNotFoundError as error:  # there was one
        found = str(error)
    if found is not None:
        raise UserFileExistsError(
            f"'{cfg.work_dir}' has checkpoints of an earlier run ({found}). "
            'Go on with that run: --resume; or start another one elsewhere: '
            '--work-dir DIR, or remove them.'
        )


def check_work_dir(path: str) -> None:
    """Raise if a file is where a run is to have its folder.

    Args:
        path (str): ``work_dir``.

    Raises:
        UserError: If it, or a folder above it, is a file.
    """
    for each in (Path(path), *Path(path).parents):
        if each.is_file():
            raise UserFileExistsError(
                f"work_dir '{path}' cannot be a folder: '{each}' is a file. "
                'Choose another one: --work-dir DIR'
            )


def check_checkpoint(path: str) -> None:
    """Raise if a local file does not exist.

    Args:
        path (str): A path, or an address with ``://``, which is left alone.

    Raises:
        UserError: With the nearest names that are there.
    """
    if '://' not in path and not os.path.isfile(path):
        folder = os.path.dirname(path) or '.'
        names = (
            [n for n in os.listdir(folder) if n.endswith('.pth')]
            if os.path.isdir(folder)
            else []
        )
        raise UserError(
            f"no such checkpoint: '{path}'; in '{folder}': "
            f'{suggest(os.path.basename(path), names)}'
        )


def check_pretrained(cfg: Config) -> None:
    """Raise if the weights that a run is to start from are not there.

    ``PretrainedBackboneHook`` would say so as well, after the data were read.

    Args:
        cfg (Config): The config, with the command line's settings.

    Raises:
        UserError: If ``pretrained`` is a file that does not exist, or a
            ``mmselfemd://`` name without weights.
    """
    pretrained = cfg.get('pretrained')
    if pretrained is None or cfg.get('resume'):
        return
    if pretrained.startswith(SCHEME):
        find_model(pretrained)
    elif '://' not in pretrained and not os.path.isfile(pretrained):
        raise UserError(
            f"pretrained='{pretrained}': there is no such file. Name another "
            'one: --cfg-options pretrained=PATH, or None for random weights'
        )


def set_show_dir(cfg: Config, show_dir: str) -> None:
    """Draw predictions on the images that are tested.

    Args:
        cfg (Config): The config; changed.
        show_dir (str): Folder of the pictures.

    Raises:
        UserError: If the config has no hook that draws.
    """
    hook = cfg.get('default_hooks', {}).get('visualization') or {}
    if not type_name(hook).endswith('DetVisualizationHook'):
        raise UserError(
            '--show-dir: the config has no default_hooks.visualization of '
            "type 'DetVisualizationHook', which draws predictions"
        )
    hook.draw = True
    hook.test_out_dir = os.path.abspath(show_dir)
