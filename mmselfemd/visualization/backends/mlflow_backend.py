"""MLflow."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import MMLogger, print_log
from mmengine.utils import scandir
from mmengine.visualization import vis_backend

from mmselfemd.errors import UserError, UserImportError
from mmselfemd.registry import VISBACKENDS

from .run_id import former_run_id, keep_run_id

_EXPERIMENT = 'mmselfemd'
_LONGEST = 250  # of a name that MLflow takes


#: Runs that a backend of this process began.
_begun: set[str] = set()


@VISBACKENDS.register_module()
class MLflowVisBackend(vis_backend.MLflowVisBackend):
    """mmengine's backend for MLflow, where that fails with MLflow 3.

    mmengine's (0.10.7) keeps runs in files, which MLflow 3.17 refuses before
    the first iteration; it hands pictures over under names that MLflow takes
    for files of no known kind, and without a step; figures whose name MLflow
    does not take, as ``coco/AR@100``, stop the run; and so does resuming
    into the same run, whose settings may not change.

    Here the runs are in a database in the work directory, ``mlflow.db``, and
    their files beside it, in ``mlartifacts``, unless ``tracking_uri`` or
    MLflow's ``MLFLOW_TRACKING_URI`` names another place. A resumed training
    goes on in the same run of MLflow, whose id is kept in the work directory,
    with the settings that it was begun with. Letters of a name that MLflow
    does not take become ``_``. A server that fails later
    ends no training: a warning names what it did not take. At the end of the
    run its logs are handed over: those of this start alone.

    Args:
        save_dir (str): See mmengine's, as for all others.
        exp_name (str, optional): The experiment. Defaults to None: MLflow's
            ``MLFLOW_EXPERIMENT_NAME``, or ``mmselfemd``.
        run_name (str, optional): The run. Defaults to None: the name of the
            work directory.
        tracking_uri (str, optional): Where the runs are. Defaults to None,
            see above.
        artifact_location (str, optional): Where the files of an experiment
            are that is not there yet. Defaults to None: see above, or the
            server decides.
        **kwargs: Other arguments of mmengine's.
    """

    cfg: Config | None = None
    _goes_on = False
    _is_kept = False

    def _init_env(self) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise UserImportError(
                f'MLflowVisBackend: {error}. To install it: pip install mlflow'
            ) from error
        self._mlflow = mlflow
        given = os.environ.get('MLFLOW_TRACKING_URI') or None
        uri = self._tracking_uri or given
        active = mlflow.active_run()
        if uri is None and active and active.info.run_id not in _begun:
            uri = mlflow.get_tracking_uri()  # that of the caller's run
        if uri is None:
            uri = f'sqlite:///{self._folder / "mlflow.db"}'
            if self._artifact_location is None:
                files = self._folder / 'mlartifacts'
                self._artifact_location = files.as_uri()
        try:
            mlflow.set_tracking_uri(uri)
            if given is None:
                # MLflow leaves it there, for the next run of this process.
                os.environ.pop('MLFLOW_TRACKING_URI', None)
            self._set_experiment()
            self._begin_run()
        except mlflow.exceptions.MlflowException as error:
            raise UserError(f'MLflow at {uri}: {error}') from error
        _reopen_log_files()

    @property
    def _folder(self) -> Path:
        """The work directory, or where a visualizer without config saves."""
        place = self._save_dir if self.cfg is None else self.cfg.work_dir
        return Path(place).absolute()

    def _set_experiment(self) -> None:
        name = self._exp_name or os.environ.get(
            'MLFLOW_EXPERIMENT_NAME', _EXPERIMENT
        )
        if self._mlflow.get_experiment_by_name(name) is None:
            self._mlflow.create_experiment(
                name, artifact_location=self._artifact_location
            )
        self._mlflow.set_experiment(name)

    def _begin_run(self) -> None:
        former = None
        if self.cfg is not None:
            former = former_run_id(self.cfg, 'mlflow')
        active = self._mlflow.active_run()
        if active is not None and active.info.run_id in _begun:
            self._mlflow.end_run('FAILED')  # an error ended that one
            active = None
        run = (
            active  # one that the caller began
            or self._former_run(former)
            or self._mlflow.start_run(
                run_name=self._run_name or self._folder.name
            )
        )
        if active is None:
            _begun.add(run.info.run_id)
        self._run_id = run.info.run_id
        self._goes_on = self._run_id == former
        if self._tags is not None:
            self._mlflow.set_tags(self._tags)
        if self._params is not None and not self._goes_on:
            self._mlflow.log_params(self._params)

    def _former_run(self, run_id: str | None) -> Any:
        if run_id is None:
            return None
        try:
            return self._mlflow.start_run(run_id=run_id)
        except self._mlflow.exceptions.MlflowException as error:
            print_log(
                f'MLflow: the run {run_id} cannot go on ({error}); a new one '
                'begins.',
                logger='current',
                level=logging.WARNING,
            )
            return None

    def add_config(self, config: Config, **kwargs) -> None:
        """Hand over the config; the first call begins the run.

        Args:
            config (Config): The config.
            **kwargs: Not used.
        """
        self.cfg = config  # ahead of `experiment`, which begins the run
        mlflow = self.experiment
        settings = config.to_dict()
        if self._tracked_config_keys is not None:
            settings = {
                key: settings[key] for key in self._tracked_config_keys
            }
        if not self._goes_on:
            mlflow.log_params(
                {_taken(name): value for name, value in _leaves(settings)}
            )
        mlflow.log_text(config.pretty_text, 'config.py')

    def add_image(
        self, name: str, image: np.ndarray, step: int = 0, **kwargs
    ) -> None:
        """Hand over a picture; MLflow shows those of a name by their steps.

        Args:
            name (str): Its name.
            image (np.ndarray): RGB of shape (H, W, 3) and type uint8.
            step (int): Its iteration. Defaults to 0.
            **kwargs: Not used.
        """
        mlflow = self.experiment
        with self._going_on(name):
            mlflow.log_image(
                image, key=_taken(name, re.ASCII), step=step, synchronous=True
            )

    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs):
        """Hand over a figure.

        Args:
            name (str): Its name.
            value (int, float, torch.Tensor or np.ndarray): Its value.
            step (int): Its iteration. Defaults to 0.
            **kwargs: Not used.
        """
        self.add_scalars({name: value}, step)

    def add_scalars(
        self,
        scalar_dict: dict,
        step: int = 0,
        file_path: str | None = None,
        **kwargs,
    ) -> None:
        """Hand over several figures.

        Args:
            scalar_dict (dict): Values by name.
            step (int): Their iteration. Defaults to 0.
            file_path (str, optional): Not used. Defaults to None.
            **kwargs: Not used.
        """
        mlflow = self.experiment
        if self.cfg is not None and not self._is_kept:
            # A test logs none, whose run no training goes on in.
            keep_run_id(self.cfg, 'mlflow', self._run_id)
            self._is_kept = True
        with self._going_on(f'figures of iteration {step}'):
            mlflow.log_metrics(
                {_taken(name): value for name, value in scalar_dict.items()},
                step,
            )

    def close(self) -> None:
        """Hand over the logs of this start, and end the run."""
        if not hasattr(self, '_mlflow'):
            return
        # Not all of the work directory: MLflow's own files are in it, too.
        folder = Path(self._save_dir).parent
        with self._going_on(f'logs of {folder}'):
            for name in scandir(folder, self._artifact_suffix, recursive=True):
                target = Path(folder.name, name).parent
                self._mlflow.log_artifact(str(folder / name), str(target))
        if self._run_id in _begun:  # the caller ends its own
            with self._going_on('the end of the run'):
                self._mlflow.end_run()

    @contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Let the training outlive what the service does not take."""
        try:
            yield
        except (
            self._mlflow.exceptions.MlflowException,
            OSError,  # of requests, where files are sent
        ) as error:
            print_log(
                f'MLflow has not taken {what}: {error}',
                logger='current',
                level=logging.WARNING,
            )


def _taken(name: str, flags: int = 0) -> str:
    """A name of letters that MLflow takes: of pictures, ASCII alone."""
    return re.sub(r'[^/\w.\- ]', '_', name, flags=flags)[:_LONGEST]


def _leaves(node: Any, path: str = '') -> Iterator[tuple[str, Any]]:
    """Values by dotted path; a list of values counts as one."""
    if isinstance(node, list | tuple) and any(
        isinstance(child, Mapping) for child in node
    ):
        node = dict(enumerate(node))
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from _leaves(child, f'{path}.{name}' if path else str(name))
    else:
        yield path, node


def _reopen_log_files() -> None:
    """Go on with the log: MLflow sets logging up, which closes its files."""
    for handler in MMLogger.get_current_instance().handlers:
        if isinstance(handler, logging.FileHandler) and (
            handler.stream is None or handler.stream.closed
        ):
            handler.stream = open(handler.baseFilename, 'a')
