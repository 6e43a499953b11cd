"""Weights & Biases."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.visualization import vis_backend

from mmselfemd.errors import UserError, UserImportError
from mmselfemd.registry import VISBACKENDS

from .run_id import former_run_id, keep_run_id

#: What W&B draws every figure and picture over.
STEP = 'iteration'

#: Runs that a backend of this process began.
_begun: set[str] = set()


@VISBACKENDS.register_module()
class WandbVisBackend(vis_backend.WandbVisBackend):
    """mmengine's backend for Weights & Biases, with the iteration.

    mmengine's (0.10.7) logs without a step: W&B then counts calls, and
    training, validation and pictures of one iteration lie at different
    places. Here each call carries its ``iteration``, and all is drawn over
    it. It is no ``step`` of ``wandb.log``, which must rise: what comes later
    for an earlier iteration would be dropped.

    What else differs: a resumed training goes on in the same run of W&B,
    whose id is kept in the work directory; its config may then have changed;
    W&B's files lie in the work directory; project and name have defaults,
    which W&B's own environment variables replace; and the source code is
    handed over only if ``log_code_name`` is set. mmengine's takes every
    ``.py`` file below the present folder.

    Args:
        save_dir (str): See mmengine's, as for all others.
        init_kwargs (dict, optional): Arguments of ``wandb.init``, which go
            before the defaults: ``project='mmselfemd'``, ``name`` and ``dir``
            of the work directory. Defaults to None.
        define_metric_cfg (dict or list[dict], optional): For a dict, names
            and summaries, such as ``{'coco/bbox_mAP': 'max'}``; for a list,
            arguments of ``wandb.define_metric``. Defaults to None.
        log_code_name (str, optional): Name of an artifact with the source
            code. Defaults to None: none.
        **kwargs: Other arguments of mmengine's.
    """

    _cfg: Config | None = None
    _is_kept = False

    def _init_env(self) -> None:
        try:
            import wandb
        except ImportError as error:
            raise UserImportError(
                f'WandbVisBackend: {error}. To install it: pip install wandb'
            ) from error
        self._init_kwargs = self._defaults() | (self._init_kwargs or {})
        if isinstance(self._define_metric_cfg, dict):
            self._define_metric_cfg = [
                dict(name=name, summary=summary, step_metric=STEP)
                for name, summary in self._define_metric_cfg.items()
            ]
        if wandb.run is not None and wandb.run.id in _begun:
            # An error ended that one: `wandb.init` would give it back.
            wandb.finish(exit_code=1)
        is_the_callers = wandb.run is not None
        try:
            super()._init_env()
        except wandb.Error as error:
            raise UserError(
                f'W&B cannot begin a run: {error}. Log in once, with `wandb '
                'login`; or keep the run on this machine: WANDB_MODE=offline'
            ) from error
        wandb.define_metric(STEP)
        wandb.define_metric('*', step_metric=STEP)
        if not is_the_callers:
            _begun.add(wandb.run.id)

    def _defaults(self) -> dict[str, Any]:
        given = os.environ
        folder = Path(self._save_dir)
        former = None
        if self._cfg is not None:
            folder = Path(self._cfg.work_dir).absolute()
            former = former_run_id(self._cfg, 'wandb')
        defaults = dict(
            project=given.get('WANDB_PROJECT', 'mmselfemd'),
            name=given.get('WANDB_NAME', folder.name),
            dir=given.get('WANDB_DIR', str(folder)),
        )
        if former is not None:
            # Of an id without `resume`, W&B writes over what is there.
            defaults |= dict(
                id=given.get('WANDB_RUN_ID', former),
                resume=given.get('WANDB_RESUME', 'allow'),
            )
        return defaults

    def add_config(self, config: Config, **kwargs) -> None:
        """Hand over the config; the first call begins the run.

        Args:
            config (Config): The config.
            **kwargs: Not used.
        """
        self._cfg = config  # ahead of `experiment`, which begins the run
        wandb = self.experiment
        wandb.config.update(config.to_dict(), allow_val_change=True)
        if self._log_code_name is not None:
            wandb.run.log_code(name=self._log_code_name)

    def add_image(
        self, name: str, image: np.ndarray, step: int = 0, **kwargs
    ) -> None:
        """Hand over a picture.

        Args:
            name (str): Its name.
            image (np.ndarray): RGB of shape (H, W, 3) and type uint8.
            step (int): Its iteration. Defaults to 0.
            **kwargs: Not used.
        """
        self._log({name: self.experiment.Image(image)}, step)

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
        self._log(scalar_dict, step)
        if self._cfg is not None and not self._is_kept:
            # A test logs none, whose run no training goes on in.
            keep_run_id(self._cfg, 'wandb', self.experiment.run.id)
            self._is_kept = True

    def _log(self, values: dict, step: int) -> None:
        self.experiment.log({**values, STEP: step}, commit=self._commit)

    def close(self) -> None:
        """End the run."""
        if hasattr(self, '_wandb'):
            self._wandb.finish()
