"""From a backbone and labelled photographs to a detector."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.visualization.curve_sources import logs_of_run
from mmselfemd.visualization.curves import read_scalars

from .architectures import (
    ARCHITECTURES,
    Backbone,
    find_architecture,
    image_values,
    read_backbone,
    standard_backbone,
)
from .command_lines import plain_paths, tool_command
from .detectors import find_detector
from .finetuning_config import finetuning_notes, finetuning_settings
from .finetuning_rule import choose_finetuning
from .labels import Labels, check_labels
from .machine import find_machine
from .photographs import look_at
from .run_folder import RunFolder

_NONE = 'none'


class FinetunedDetector(NamedTuple):
    """A detector, in the order that mmdet's ``init_detector`` takes.

    Attributes:
        config (Path): Its config.
        checkpoint (Path): Its last checkpoint.
    """

    config: Path
    checkpoint: Path


def finetune(
    images: str | os.PathLike,
    train: str | os.PathLike,
    val: str | os.PathLike,
    pretrained: str | os.PathLike | None,
    detector: str = 'faster-rcnn',
    arch: str | None = None,
    epochs: int | None = None,
    iterations: int | None = None,
    val_images: str | os.PathLike | None = None,
    work_dir: str | os.PathLike | None = None,
    value_range: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    loggers: Sequence[str] = (),
    dry_run: bool = False,
    report: Callable[[str], None] = print,
) -> FinetunedDetector:
    """Fine-tune a detector on labelled photographs.

    Checks annotations and images, takes the classes from the train file,
    chooses the settings by a rule of thumb (``docs/two_commands.md``), writes
    them into ``WORK_DIR.py`` and trains by that. The same call goes on where
    the run was, by that config as it then is; a finished run is left as it
    is.

    Args:
        images (str | os.PathLike): Folder that the file names are below.
        train (str | os.PathLike): COCO file of training.
        val (str | os.PathLike): COCO file of validation.
        pretrained (str | os.PathLike, optional): The backbone: a file, a
            checkpoint of a pre-training, or an address such as
            ``torchvision://resnet50``. None: random weights.
        detector (str): One of :data:`~.detectors.DETECTORS`. Defaults to
            'faster-rcnn'.
        arch (str, optional): Architecture of the backbone. Defaults to None:
            that of ``pretrained``, or 'resnet50' without.
        epochs (int, optional): Rounds through the images. Defaults to None:
            by the rule.
        iterations (int, optional): Batches, in the place of ``epochs``.
            Defaults to None.
        val_images (str | os.PathLike, optional): Folder of the images of
            validation. Defaults to None: ``images``.
        work_dir (str | os.PathLike, optional): Folder of the run. Defaults
            to None: ``work_dirs/finetune_<name of the folder>``.
        value_range (Sequence[float], optional): See ``docs/input.md``.
            Defaults to None: that of ``pretrained``, or measured.
        bands (Sequence[int], optional): The same. Defaults to None: those of
            ``pretrained``.
        loggers (Sequence[str]): Where else to log to: see ``docs/loggers.md``.
            Defaults to none.
        dry_run (bool): Whether to end when the config is written. Defaults
            to False.
        report (Callable): Gets lines to show. Defaults to ``print``.

    Returns:
        FinetunedDetector: Its config and its last checkpoint; with
        ``dry_run`` where that will be.

    Raises:
        UserError: If the annotations, the images, the backbone or the
            arguments cannot be used, or another run is in the folder.
    """
    paths = plain_paths(
        images=images,
        val_images=val_images,
        train=train,
        val=val,
        pretrained=_NONE if pretrained is None else pretrained,
    )
    if work_dir is None:
        name = os.path.basename(os.path.abspath(paths['images']))
        work_dir = f'work_dirs/finetune_{name}'
    given = dict(
        paths,
        detector=detector,
        arch=arch,
        epochs=epochs,
        iterations=iterations,
        **plain_paths(work_dir=work_dir),
        value_range=value_range,
        bands=bands,
    )
    run = RunFolder('finetune.py', given, loggers)
    plan = partial(_plan, run, given, report)
    last = run.complete('iter', plan, dry_run, report)
    if not dry_run:
        report(f'The detector: {last}')
        report(_last_evaluation(run, given, last))
        report(f'Next: {_next_command(run, given, last)}')
    return FinetunedDetector(run.config, last)


def _last_evaluation(run: RunFolder, given: dict, checkpoint: Path) -> str:
    """What the log has of it, or how to have it.

    mmengine evaluates after the last checkpoint is written, and what ends the
    process in between leaves a finished run without.
    """
    length = run.settings.train_cfg.max_iters
    found = {}
    for log in logs_of_run(run.path):
        for name, (steps, values) in read_scalars(log).items():
            if '/' in name and steps[-1] == length:  # of an evaluator
                found[name] = values[-1]
    if found:
        figures = (f'{name} {value:.3f}' for name, value in found.items())
        return f'On {given["val"]}: {", ".join(figures)}'
    evaluate = tool_command('test.py', run.config, checkpoint)
    return f'Its last evaluation is not in the log. To have it: {evaluate}'


def _next_command(run: RunFolder, given: dict, checkpoint: Path) -> str:
    return tool_command(
        'visualization/detect.py',
        given['val_images'] or given['images'],
        config=run.config,
        checkpoint=checkpoint,
        out=run.path / 'found',
    )


def _plan(run: RunFolder, given: dict, report: Callable[[str], None]) -> None:
    """Check, choose, tell, and write the config."""
    detector = find_detector(given['detector'])
    values = {name: given[name] for name in ('value_range', 'bands')}
    ValueMapping(**values, where='the arguments')  # raises
    backbone = _backbone(given['pretrained'], given['arch'])
    named = f'--pretrained {given["pretrained"]}'
    values = image_values(values, backbone, named)
    folders = [given['images'], given['val_images'] or given['images']]
    labels = check_labels(
        given['train'], given['val'], *folders, detector.has_masks, report
    )
    values = _look_at_all(folders, labels, values, report)
    machine = find_machine(for_detector=True)
    architecture = ARCHITECTURES[backbone.name]
    choice = choose_finetuning(
        labels.num_images,
        architecture,
        detector.learning_rate,
        machine,
        given['epochs'],
        given['iterations'],
    )
    notes = finetuning_notes(labels, backbone, detector, machine, choice)
    for line in notes:
        report(line)
    weights = None if given['pretrained'] == _NONE else given['pretrained']
    run.write(
        notes,
        detector.config,
        finetuning_settings(
            weights,
            [given['train'], given['val']],
            folders,
            backbone,
            detector,
            labels,
            values,
            choice,
        ),
    )


def _backbone(pretrained: str, arch: str | None) -> Backbone:
    if pretrained == _NONE:
        return standard_backbone(arch or 'resnet50')
    if arch is not None:
        find_architecture(arch)
    return read_backbone(pretrained, arch)


def _look_at_all(
    folders: Sequence[str],
    labels: Labels,
    values: dict,
    report: Callable[[str], None],
) -> dict:
    """Read all labelled images; return ``value_range`` and ``bands``."""
    names = (labels.train_images, labels.val_images)
    for folder, paths in zip(folders, names, strict=True):
        found = look_at(folder, **values, report=report, paths=paths)
        values = values | dict(value_range=found.value_range)
    return values
