"""Checkpoints that survive a kill and run no code when they are loaded."""

from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import BaseLoop, Runner

from mmselfemd.atomic_file import INCOMPLETE
from mmselfemd.engine.finite_state import check_finite_state
from mmselfemd.engine.model import unwrap_model
from mmselfemd.engine.processes import decided_by_first
from mmselfemd.engine.resume import (
    CHECKPOINT_TEMPLATES,
    any_number,
    checkpoint_folder,
    find_checkpoint_to_resume,
    warn_if_done,
    warn_of_other_run,
)
from mmselfemd.engine.training_state import prepare_training_state
from mmselfemd.errors import UserValueError
from mmselfemd.registry import HOOKS
from mmselfemd.zoo.fit import check_fits
from mmselfemd.zoo.saving import to_plain

#: By which the configs of pre-training choose the best checkpoint.
_DEFAULT_BEST = 'matching/gain'


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` with safe files.

    Plain: what it saves opens with ``torch.load(weights_only=True)`` and
    nothing allow-listed, also without this package. mmengine 0.10.7 pickles
    the message hub's buffers as objects and then cannot resume its own files
    under torch >= 2.6.

    Whole: a file is written under another name, flushed and renamed, then
    ``last_checkpoint`` likewise, and only then are outdated files deleted
    (mmengine deletes first, and writes in place). A kill at any moment
    leaves a whole checkpoint that ``--resume`` finds.

    On a step of the optimiser: where gradients are accumulated, a checkpoint
    by iteration waits for the next step. Saved between two, it would lose the
    gradients of the batches since the last one.

    Finite: where a weight, a buffer or the optimiser's state has NaN or
    infinity, nothing is saved and the run stops on all processes. What was
    saved before stays the last checkpoint.

    Unread: ``meta['config']``, which ``Runner.resume`` would execute, is
    dropped from what is loaded.

    It belongs into ``default_hooks`` as ``checkpoint``: a child config that
    sets ``custom_hooks`` would drop it there.

    Args:
        *args: As those of :class:`mmengine.hooks.CheckpointHook`.
        **kwargs: Likewise, but files go to the local disk only, where a
            rename is atomic.
        check_finite (bool): Whether to look for NaN and infinity; a model
            may have a buffer that holds infinity on purpose. Defaults to
            True.
    """

    def __init__(self, *args, check_finite: bool = True, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.check_finite = check_finite
        backend = (self.backend_args or {}).get('backend', 'local')
        remote = '://' in str(self.out_dir or '')
        if self.file_client_args or backend != 'local' or remote:
            raise UserValueError(
                'SafeCheckpointHook writes to the local disk only, got '
                f'out_dir={self.out_dir!r}, backend_args='
                f'{self.backend_args!r}, file_client_args='
                f'{self.file_client_args!r}. Leave the last two out and let '
                'out_dir be a local folder, or use CheckpointHook.'
            )
        # Runner.save_checkpoint passes these on to the function that writes:
        # the one place where mmengine lets a hook choose how.
        self.backend_args = dict(backend='mmselfemd_atomic')
        self._is_due = self._has_warned = False

    # ---- Before the first step: leftovers, and what to resume from.

    def before_run(self, runner: Runner) -> None:
        """Choose the checkpoint of an automatic resume.

        The first process does, and hands it to the runners of all, instead
        of writing it back to ``last_checkpoint``.
        """
        if not runner._resume or runner._load_from is not None:
            return
        work_dir = runner.work_dir
        # mmengine's `before_train`, which changes `out_dir`, comes later.
        runner._load_from = decided_by_first(
            find_checkpoint_to_resume,
            work_dir,
            checkpoint_folder(work_dir, self.out_dir),
            self.filename_tmpl,
        )
        runner.logger.info(
            f'Resuming from {runner._load_from}.'
            if runner._load_from
            else f'Nothing to resume in {work_dir}: starting anew.'
        )

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder: leftovers of a killed save are removed."""
        super().before_train(runner)
        warn_if_done(runner)
        if is_main_process():
            for leftover in self._leftovers(runner.work_dir):
                runner.logger.info(f'Removing {leftover}: its save was killed')
                leftover.unlink(missing_ok=True)
        # A run whose folder was copied must not delete the original's best.
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._here(self.best_ckpt_path)
        for name, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[name] = path and self._here(path)

    def _leftovers(self, work_dir: str) -> list[Path]:
        """Those of checkpoints alone: others may be writing there."""
        names = {*CHECKPOINT_TEMPLATES, self.filename_tmpl, 'best_{}'}
        return [
            path
            for folder in {Path(self.out_dir), Path(work_dir)}
            for name in (*names, 'last_checkpoint')
            for path in folder.glob(f'{any_number(name)}.*{INCOMPLETE}')
        ]

    def _here(self, path: str) -> str:
        return str(Path(self.out_dir) / Path(path).name)

    # ---- Plain on the way out, rebuilt on the way in.

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Leave tensors, numbers, strings and containers only."""
        for name, value in checkpoint.items():
            checkpoint[name] = to_plain(value, name)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Rebuild the message hub's buffers; drop the config unread."""
        meta, source = checkpoint.get('meta'), str(runner._load_from)
        if isinstance(meta, dict):
            meta.pop('config', None)
            if runner._resume:
                warn_of_other_run(meta.get('cfg'), runner.cfg, source)
        # A start (`load_from`) may leave out heads, a detector's for other
        # classes for instance, and never a part of the backbone.
        is_start = isinstance(runner._train_loop, BaseLoop)
        part = 'backbone.' if is_start and not runner._resume else ''
        check_fits(unwrap_model(runner.model), checkpoint, source, part)
        if runner._resume:
            prepare_training_state(
                checkpoint,
                runner.optim_wrapper,
                source,
                has_schedules=bool(runner.param_schedulers),
            )

    # ---- Save, then point to it, then delete.

    def after_train_iter(self, runner: Runner, **kwargs) -> None:
        """Save if it is time and the optimiser has just stepped."""
        if self.by_epoch:
            return
        self._is_due |= self.every_n_train_iters(
            runner, self.interval, self.save_begin
        ) or (self.save_last and self.is_last_train_iter(runner))
        if self._is_due and _has_stepped(runner.optim_wrapper):
            self._is_due = False
            runner.logger.info(
                f'Saving checkpoint at {runner.iter + 1} iterations'
            )
            self._save_checkpoint(runner)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict
    ) -> None:
        """Save a checkpoint, name it the last, and delete outdated ones.

        Replaces mmengine's method: its order is the fault.
        """
        self.check_state(runner)
        outdated = []
        if self.max_keep_ckpts > 0:
            kept = [old for old in self.keep_ckpt_ids if old != step] + [step]
            outdated = kept[: -self.max_keep_ckpts]
            # The file names the outdated ones, too: if the process is killed
            # before it deletes them, mmengine does at the next start.
            runner.message_hub.update_info('keep_ckpt_ids', kept)
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend(kept[-self.max_keep_ckpts :])
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            filename,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            self.file_backend.put_text(
                self.last_ckpt, Path(runner.work_dir) / 'last_checkpoint'
            )
            for old in outdated:
                Path(self._here(self.filename_tmpl.format(old))).unlink(
                    missing_ok=True
                )
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info(
                'keep_ckpt_ids', list(self.keep_ckpt_ids)
            )

    def after_val_epoch(self, runner: Runner, metrics: dict) -> None:
        """Save the best checkpoint; ``runner.val()`` alone has none.

        Raises:
            UserValueError: If the validation does not give the figure that
                the user has set as ``save_best``.
        """
        if not isinstance(runner._train_loop, BaseLoop):
            return
        wanted = set(getattr(self, 'key_indicators', ())) - {'auto'}
        missing = ', '.join(sorted(wanted - metrics.keys()))
        if missing and metrics:
            given = (
                f'the validation gives no {missing}. '
                'default_hooks.checkpoint.save_best may be one of: '
                + ', '.join(metrics)
            )
            if wanted != {_DEFAULT_BEST}:
                raise UserValueError(given)
            # The shipped configs', beside an evaluator of the user's own.
            if not self._has_warned:
                runner.logger.warning(f'No best checkpoint is kept: {given}')
            self._has_warned = True
            return
        super().after_val_epoch(runner, metrics)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Save a better checkpoint before the previous best one goes.

        For its score mmengine saves the last one anew, too. Between two steps
        of the optimiser it does not: a run that is resumed from before them
        validates there again.
        """
        self.check_state(runner)
        last_ckpt = self.last_ckpt
        if not (self.by_epoch or _has_stepped(runner.optim_wrapper)):
            self.last_ckpt = None
        outdated: list[str] = []
        self.file_backend.remove = outdated.append
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            del self.file_backend.remove
            self.last_ckpt = self.last_ckpt or last_ckpt
        # One written anew under its old name stays.
        best = {
            getattr(self, 'best_ckpt_path', None),
            *getattr(self, 'best_ckpt_path_dict', {}).values(),
        }
        for path in set(outdated) - best:
            Path(path).unlink(missing_ok=True)

    def check_state(self, runner: Runner) -> None:
        """Stop the run, on all processes, if what it would save is no good.

        Args:
            runner (Runner): The runner of the training process.

        Raises:
            NonFiniteCheckpointError: See :func:`check_finite_state`.
        """
        if self.check_finite:
            last = runner.message_hub.get_info('last_ckpt', None)
            check_finite_state(runner, last)


def _has_stepped(optim_wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Whether the latest batch ended a step of the optimiser."""
    # Several optimisers are stepped by the model, and accumulate nothing.
    return (
        isinstance(optim_wrapper, OptimWrapperDict)
        or optim_wrapper.should_update()
    )
