"""Checks the annotation files of a run before its first step."""

import json
from collections.abc import Sequence
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner

from mmselfemd.atomic_file import atomic_write
from mmselfemd.datasets.annotations import (
    MENDED,
    SAID,
    STOP,
    check_usages,
    forget_files,
)
from mmselfemd.datasets.annotations.usage import num_classes_of, usages_of
from mmselfemd.engine.model import unwrap_model
from mmselfemd.engine.processes import decided_by_first
from mmselfemd.registry import HOOKS


@HOOKS.register_module()
class CheckAnnotationsHook(Hook):
    """Stops a run whose annotations would be learnt wrong; mends what it can.

    From when it is built on, mmdet reads COCO files checked and mended, see
    :mod:`mmselfemd.datasets.annotations.coco_api`: what would fail in
    mmdet or pycocotools is told in words. Before the run, every file of the
    train, val and test loaders is held against its images, the classes, the
    heads of the model, and the other files. ``tools/train.py`` and
    ``tools/test.py`` do that before any data set is built. The whole list is
    in ``annotations.json`` in the log's folder.

    Args:
        left_out (Sequence[str]): Categories of the files that are no class,
            on purpose. Defaults to ().
        stops (bool): Whether what is wrong ends the run; else it is a
            warning, and the run goes as far as it goes. Defaults to True.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, left_out: Sequence[str] = (), stops: bool = True
    ) -> None:
        # Not above: mmdet is loaded by detectors alone.
        from mmselfemd.datasets.annotations.coco_api import read_with_checks

        self.left_out = [left_out] if isinstance(left_out, str) else left_out
        self.stops = stops
        self._is_checked = False
        read_with_checks(stops)

    def check(self, runner: Runner, splits: Sequence[str]) -> None:
        """Check the data sets of a run; say what is mended.

        Args:
            runner (Runner): The runner; it need not have built its data.
            splits (Sequence[str]): Of ``train``, ``val`` and ``test``.

        Raises:
            UserError: In all processes, with all that is wrong.
        """
        decided_by_first(_check, runner, splits, self.left_out, self.stops)
        self._is_checked = True

    def before_run(self, runner: Runner) -> None:
        """Check, unless that is done; let go of the files.

        Raises:
            UserError: With all that is wrong.
        """
        if not self._is_checked:
            self.check(runner, _splits_of(runner))
        forget_files()


def check_annotations(runner: Runner, splits: Sequence[str]) -> None:
    """Check the data sets of a detector, whether its config has the hook.

    Args:
        runner (Runner): A runner, of whatever model.
        splits (Sequence[str]): Of ``train``, ``val`` and ``test``.

    Raises:
        UserError: In all processes, with all that is wrong.
    """
    hooks = [h for h in runner.hooks if isinstance(h, CheckAnnotationsHook)]
    if not hooks:
        if runner.cfg.get('default_scope') != 'mmdet':
            return
        hooks = [CheckAnnotationsHook()]
        runner.register_hook(hooks[0])
    hooks[0].check(runner, splits)


def _splits_of(runner: Runner) -> list[str]:
    """Of the loops that are built, as those of this run are."""
    if isinstance(runner._train_loop, BaseLoop):
        return ['train', 'val', 'test']
    loops = dict(val=runner._val_loop, test=runner._test_loop)
    return [name for name, loop in loops.items() if isinstance(loop, BaseLoop)]


def _check(
    runner: Runner,
    splits: Sequence[str],
    left_out: Sequence[str],
    stops: bool,
) -> None:
    usages, findings = usages_of(runner.cfg, splits, left_out)
    findings.extend(
        check_usages(usages, num_classes_of(unwrap_model(runner.model)))
    )
    out = Path(runner.log_dir, 'annotations.json')
    if list(findings):
        with atomic_write(out) as file:
            file.write(json.dumps(findings.records(), indent=2).encode())
    if text := findings.text([MENDED, SAID]):
        runner.logger.info(f'Annotations. The whole list: {out}\n{text}')
    if stops:
        findings.raise_stops(f'The whole list: {out}')
    elif text := findings.text([STOP]):
        runner.logger.warning(f'Annotations, used all the same.\n{text}')
