"""From a folder of photographs to a backbone."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.zoo.extract import extract_backbone

from .architectures import (
    find_architecture,
    image_values,
    read_backbone,
    with_widths,
)
from .command_lines import plain_paths, tool_command
from .machine import find_machine
from .photographs import look_at
from .pretraining_config import (
    init_settings,
    pretraining_notes,
    pretraining_settings,
)
from .pretraining_rule import choose_pretraining
from .run_folder import RunFolder


def pretrain(
    images: str | os.PathLike,
    arch: str = 'resnet50',
    epochs: int | None = None,
    init: str | os.PathLike | None = None,
    work_dir: str | os.PathLike | None = None,
    value_range: Sequence[float] | None = None,
    bands: Sequence[int] | None = None,
    loggers: Sequence[str] = (),
    dry_run: bool = False,
    report: Callable[[str], None] = print,
) -> Path:
    """Pre-train a backbone on a folder of photographs, without labels.

    Looks at the photographs, chooses the settings by a rule of thumb
    (``docs/two_commands.md``), writes them into ``WORK_DIR.py``, trains by
    that and extracts the backbone. The same call goes on where the run was,
    by that config as it then is; a finished run is left as it is.

    Args:
        images (str | os.PathLike): The folder.
        arch (str): One of :data:`~.architectures.ARCHITECTURES`. Defaults to
            'resnet50'.
        epochs (int, optional): Rounds through the images. Defaults to None:
            by the rule.
        init (str | os.PathLike, optional): A backbone to start from: a file,
            or an address such as ``torchvision://resnet50``. Defaults to
            None: random weights.
        work_dir (str | os.PathLike, optional): Folder of the run. Defaults
            to None: ``work_dirs/pretrain_<name of the folder>``.
        value_range (Sequence[float], optional): See ``docs/input.md``.
            Defaults to None: that of ``init``, or measured, where it is
            needed.
        bands (Sequence[int], optional): The same. Defaults to None: those of
            ``init``.
        loggers (Sequence[str]): Where else to log to: see ``docs/loggers.md``.
            Defaults to none.
        dry_run (bool): Whether to end when the config is written. Defaults
            to False.
        report (Callable): Gets lines to show. Defaults to ``print``.

    Returns:
        Path: The backbone, ``backbone.pth`` in the folder of the run; with
        ``dry_run`` where it will be.

    Raises:
        UserError: If the photographs or the arguments cannot be used, or
            another run is in the folder.
    """
    paths = plain_paths(images=images, init=init)
    if work_dir is None:
        name = os.path.basename(os.path.abspath(paths['images']))
        work_dir = f'work_dirs/pretrain_{name}'
    given = dict(
        paths,
        arch=arch,
        epochs=epochs,
        **plain_paths(work_dir=work_dir),
        value_range=value_range,
        bands=bands,
    )
    run = RunFolder('pretrain.py', given, loggers)
    backbone = run.path / 'backbone.pth'
    plan = partial(_plan, run, given, report)
    last = run.complete('epoch', plan, dry_run, report)
    if dry_run:
        return backbone
    extract_backbone(last, backbone, force=True)
    report(f'The backbone: {backbone}')
    report(f'Next: {_next_command(paths["images"], backbone)}')
    return backbone


def _next_command(images: str, backbone: Path) -> str:
    return tool_command(
        'finetune.py',
        images=images,
        train='TRAIN.json',
        val='VAL.json',
        pretrained=backbone,
    )


def _plan(run: RunFolder, given: dict, report: Callable[[str], None]) -> None:
    """Look, choose, tell, and write the config."""
    architecture = find_architecture(given['arch'])
    values = {name: given[name] for name in ('value_range', 'bands')}
    ValueMapping(**values, where='the arguments')  # raises
    start = []
    if init := given['init']:
        backbone = read_backbone(init, given['arch'], '--init')
        architecture = with_widths(architecture, backbone.network)
        values = image_values(values, backbone, f'--init {init}')
        start = init_settings(init, backbone)
    found = look_at(given['images'], **values, report=report)
    machine = find_machine()
    choice = choose_pretraining(
        found.num_images, architecture, machine, given['epochs']
    )
    notes = pretraining_notes(found.num_images, architecture, machine, choice)
    for line in notes:
        report(line)
    run.write(
        notes,
        architecture.config,
        [
            *start,
            *pretraining_settings(
                given['images'],
                found.num_images,
                architecture,
                values | dict(value_range=found.value_range),
                choice,
            ),
        ],
    )
