"""Where else a run is logged to: TensorBoard, W&B, MLflow."""

import logging
import shutil
import subprocess
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.logging import print_log

from mmselfemd.errors import UserError, UserImportError, UserValueError


class Logger(NamedTuple):
    """Something that keeps the curves and pictures of runs.

    Attributes:
        backend (str): That of mmengine's visualizer.
        package (str): What it needs: the name that is imported, and that is
            installed.
    """

    backend: str
    package: str


#: By the names of ``--loggers``.
LOGGERS = dict(
    tensorboard=Logger('TensorboardVisBackend', 'tensorboard'),
    wandb=Logger('mmselfemd.WandbVisBackend', 'wandb'),
    mlflow=Logger('mmselfemd.MLflowVisBackend', 'mlflow'),
)


def set_loggers(cfg: Config, names: Iterable[str]) -> None:
    """Let a run be logged to more places, all by iteration.

    A backend that the config has already keeps its arguments. mmengine would
    log the validation of a run at the number of its epoch, and so beside its
    training; where the config does not say ``log_metric_by_epoch``, it is
    turned off.

    Args:
        cfg (Config): The config; changed.
        names (Iterable[str]): Of :data:`LOGGERS`; none changes nothing.

    Raises:
        UserError: If there is no such logger, or its package is missing; or
            if mmengine would remove the present folder's ``.dvc``.
    """
    names = list(names)
    check_loggers(names)
    if names:
        visualizer = cfg.get('visualizer') or dict(
            type='Visualizer', vis_backends=[dict(type='LocalVisBackend')]
        )
        visualizer['vis_backends'] = _with_loggers(
            _backends_of(visualizer), names
        )
        cfg.visualizer = visualizer
        _log_by_iteration(cfg)
    _beware_of_dvclive(cfg)


def check_loggers(names: Iterable[str]) -> None:
    """Raise where a logger cannot be used.

    Args:
        names (Iterable[str]): Of :data:`LOGGERS`.

    Raises:
        UserError: If there is no such logger, or its package is missing.
    """
    names = list(names)
    for name in names:
        if name not in LOGGERS:
            raise UserValueError(
                f'--loggers {name}: known are {", ".join(LOGGERS)}'
            )
    packages = [LOGGERS[name].package for name in names]
    missing = [package for package in packages if not _is_there(package)]
    if missing:
        # Else the pandas of MLflow lifts it to one that mmcv does not take.
        present = f'numpy=={metadata.version("numpy")}'
        raise UserImportError(
            f'--loggers {" ".join(names)}: not installed: '
            f'{", ".join(missing)}. To install, with the numpy that is there: '
            f'pip install {" ".join(missing)} {present}'
        )


def _is_there(package: str) -> bool:
    spec = find_spec(package)
    # A folder of that name, as W&B leaves in the present one, has no origin.
    return spec is not None and spec.origin is not None


def _backends_of(visualizer: Any) -> list[dict]:
    backends = (visualizer or {}).get('vis_backends') or []
    backends = [backends] if isinstance(backends, dict | str) else backends
    for each in backends:
        if not isinstance(each, dict) or 'type' not in each:
            raise UserValueError(
                f'visualizer.vis_backends: {each!r} is none. Expected is '
                "dict(type='TensorboardVisBackend') and the like; without "
                f'arguments, --loggers {" ".join(LOGGERS)}'
            )
    return list(backends)


def _with_loggers(backends: list[dict], names: list[str]) -> list[dict]:
    for name in names:
        backend = LOGGERS[name].backend
        there = [
            each
            for each in backends
            if _class_name(each['type']) == _class_name(backend)
        ]
        for each in there:
            each['type'] = backend
        if not there:
            backends.append(dict(type=backend))
    return backends


def _class_name(type_: Any) -> str:
    name = type_ if isinstance(type_, str) else type_.__name__
    return name.rpartition('.')[2]


def _log_by_iteration(cfg: Config) -> None:
    hooks = cfg.get('default_hooks') or {}
    hook = hooks.get('logger', dict(type='LoggerHook'))
    if hook and _class_name(hook.get('type', '')) == 'LoggerHook':
        hook.setdefault('log_metric_by_epoch', False)
        cfg.default_hooks = hooks | dict(logger=hook)


def _beware_of_dvclive(cfg: Config) -> None:
    backends = _backends_of(cfg.get('visualizer'))
    names = [_class_name(each['type']) for each in backends]
    if 'DVCLiveVisBackend' not in names:
        return
    text = (
        "The config names DVCLiveVisBackend. Where git knows no user's name "
        'and e-mail address, mmengine then runs `dvc init -f --no-scm` in the '
        'present folder, which removes .dvc with the settings and the cache '
        'of data in it. '
    )
    others = f'--loggers {" ".join(LOGGERS)}'
    if Path('.dvc').is_dir() and not _git_knows_the_user():
        raise UserError(
            f'{text}There is a .dvc here, and git knows neither: tell git, by '
            '`git config user.name NAME` and `git config user.email ADDRESS`, '
            f'or take another logger in its place, {others}'
        )
    print_log(
        f'{text}Better take another logger in its place: {others}',
        logger='current',
        level=logging.WARNING,
    )


def _git_knows_the_user() -> bool:
    return shutil.which('git') is not None and all(
        subprocess.run(
            ['git', 'config', f'user.{name}'], capture_output=True
        ).stdout.strip()
        for name in ('name', 'email')
    )
