"""Records what decides about a run's result and stands in no config."""

import json
from pathlib import Path

from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmselfemd.atomic_file import atomic_write
from mmselfemd.engine.model import accumulative_counts, batch_size_of
from mmselfemd.registry import HOOKS

#: Name of the file, in the folder of the run's log.
RECORD = 'run.json'


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Records the processes, the batch, the images and the backbone of a run.

    As ``run.json`` beside the log, for ``results_table.py``, and in
    ``meta['run']`` of each checkpoint, from where ``extract_backbone.py``
    takes it along. Its entries: ``processes``; ``batch_size`` of each and
    ``accumulation``, whose product is the images of an optimiser's step;
    ``images`` of ``train`` and ``val``, the latter None without validation;
    ``seed``; and ``pretrained_backbone``, what
    :class:`~mmselfemd.engine.hooks.PretrainedBackboneHook` loaded, or None.

    It belongs into ``default_hooks``, under a name of its own.
    """

    priority = 'LOWEST'  # after the hook that loads the backbone

    def __init__(self) -> None:
        self._record: dict = {}

    def before_train(self, runner: Runner) -> None:
        """Write the record."""
        loader = runner.train_dataloader
        validation = getattr(runner._val_loop, 'dataloader', None)
        self._record = dict(
            processes=get_world_size(),
            batch_size=batch_size_of(loader),
            accumulation=accumulative_counts(runner.optim_wrapper),
            images=dict(
                train=len(loader.dataset),
                val=None if validation is None else len(validation.dataset),
            ),
            seed=runner.seed,
            pretrained_backbone=runner.message_hub.get_info(
                'pretrained_backbone', None
            ),
        )
        if is_main_process():
            with atomic_write(Path(runner.log_dir) / RECORD) as file:
                text = json.dumps(self._record, indent=2, default=repr)
                file.write(text.encode())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the record into a checkpoint."""
        if self._record:
            checkpoint['meta']['run'] = self._record
