"""Which checkpoint a run goes on from."""

import glob
import logging
import re
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmselfemd.datasets.data_paths import PATH_SETTINGS, walk
from mmselfemd.errors import UserFileNotFoundError
from mmselfemd.settings.decisive_settings import decisive_settings
from mmselfemd.zoo.config_text import read_config_text

#: mmengine's names, by iteration and by epoch.
CHECKPOINT_TEMPLATES = ('iter_{}.pth', 'epoch_{}.pth')
_DATA = 'train_dataloader'


def checkpoint_folder(
    work_dir: str | Path, out_dir: str | Path | None
) -> Path:
    """Where mmengine's ``CheckpointHook`` puts the checkpoints of a run.

    Args:
        work_dir (str or Path): The run's ``work_dir``.
        out_dir (str or Path, optional): The hook's ``out_dir``.

    Returns:
        Path: ``work_dir``, or a folder of its name in ``out_dir``.
    """
    if out_dir is None or str(out_dir) == str(work_dir):
        return Path(work_dir)
    return Path(out_dir) / Path(work_dir).name


def find_checkpoint_to_resume(
    work_dir: str | Path,
    folder: str | Path | None = None,
    filename_tmpl: str | None = None,
) -> str | None:
    """Find the newest whole checkpoint of a run.

    ``last_checkpoint`` holds a path, which is wrong once the folder was moved
    or copied, empty or rubbish if mmengine's own hook was killed while it
    wrote it or the power failed, and missing if the first save was cut short
    after the checkpoint itself. So a file of that name beside it comes first
    (after ``cp -r`` the old path still exists, and belongs to the other run),
    then the path, then the file of the latest iteration, whether it is named
    by that or by its epoch. A file that was cut short, by a full disk while
    it was copied for instance, is passed over.

    Args:
        work_dir (str or Path): The folder of ``last_checkpoint``.
        folder (str or Path, optional): The folder of the checkpoints.
            Defaults to None, which means ``work_dir``.
        filename_tmpl (str, optional): How checkpoints are named, beside
            :data:`CHECKPOINT_TEMPLATES`. Defaults to None.

    Returns:
        str or None: Its path. None if the run has not saved any yet.

    Raises:
        FileNotFoundError: If there is no whole checkpoint, and
            ``last_checkpoint`` or a file that was cut short tells that there
            was one.
    """
    folder = Path(work_dir if folder is None else folder)
    pointer = _read_pointer(Path(work_dir))
    named = [folder / Path(pointer).name, Path(pointer)] if pointer else []
    found = [path for path in named if _is_file(path)]
    found += _numbered(folder, {*CHECKPOINT_TEMPLATES, filename_tmpl} - {None})
    cut = [path for path in found if _is_cut_short(path)]
    if whole := [path for path in found if path not in cut]:
        if whole[0] not in named:
            whole.sort(key=_progress, reverse=True)
        if whole[0] not in named or cut:
            print_log(
                f'last_checkpoint of {work_dir} names '
                f'{pointer or "nothing"}{_cut_short(cut)}; going on from '
                f'{whole[0]}, the newest whole one there.',
                logger='current',
                level=logging.WARNING,
            )
        return str(whole[0])
    if pointer or cut:
        raise UserFileNotFoundError(
            f'Cannot resume: last_checkpoint of {work_dir} names '
            f'{pointer or "nothing"}{_cut_short(cut)}, and there is no whole '
            f'checkpoint, neither there nor in {folder}. Name one: --resume '
            'PATH, or delete last_checkpoint and what was cut short to start '
            'anew.'
        )
    return None


def _read_pointer(work_dir: Path) -> str:
    """The path in ``last_checkpoint``; '' if there is none."""
    try:
        content = (work_dir / 'last_checkpoint').read_bytes()
    except FileNotFoundError:
        return ''
    # A power cut may leave zeros.
    return content.decode(errors='replace').strip('\0 \n\r\t')


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # rubbish may be too long for a name
        return False


def _is_cut_short(path: Path) -> bool:
    """Whether the end of a file of torch, a zip archive, is missing."""
    with open(path, 'rb') as file:
        start = file.read(4)
    return not start or (start == b'PK\3\4' and not is_zipfile(path))


def _cut_short(paths: list[Path]) -> str:
    names = sorted({path.name for path in paths})
    return f' ({", ".join(names)}: cut short)' if names else ''


def _numbered(folder: Path, filename_tmpls: set[str]) -> list[Path]:
    """The checkpoints in a folder that are named by a number."""
    return [
        path
        for tmpl in sorted(filename_tmpls)
        for path in folder.glob(any_number(tmpl))
        if re.fullmatch(any_number(tmpl, re.escape, r'\d+'), path.name)
    ]


def any_number(
    tmpl: str,
    escape: Callable[[str], str] = glob.escape,
    number: str = '*',
) -> str:
    """A pattern for the names of checkpoints, whatever their number.

    Args:
        tmpl (str): mmengine's ``filename_tmpl``, such as ``iter_{:06d}.pth``.
        escape (Callable): For what is beside the number.
            Defaults to that of ``glob``.
        number (str): What stands for it. Defaults to '*'.

    Returns:
        str: The pattern.
    """
    return number.join(map(escape, re.split(r'\{[^{}]*\}', tmpl)))


def _progress(path: Path) -> tuple[int, int]:
    """Iteration of a checkpoint, 0 if it does not say; number of its name."""
    number = int(re.findall(r'\d+', path.name)[-1])
    if path.name.startswith('iter_'):
        return number, number
    try:
        checkpoint = torch.load(path, 'cpu', weights_only=True, mmap=True)
        return checkpoint['meta']['iter'], number
    except (KeyError, RuntimeError, TypeError, UnpicklingError):
        return 0, number


def warn_of_other_run(former: object, cfg: Config, source: str) -> None:
    """Say where a checkpoint is of another model or of other data.

    Args:
        former (object): ``meta['cfg']`` of the checkpoint, the text of its
            run's config, which is parsed and never executed.
        cfg (Config): The config of this run.
        source (str): The checkpoint's path.
    """
    # Both as text, so that a tuple, say, is the same in both.
    before, own = map(_model_and_data, (former, cfg.pretty_text))
    changes = [
        f'{name}={own.get(name, "not set")} '
        f'({before.get(name, "not set")} before)'
        for name in {**before, **own}
        if (name in own, own.get(name)) != (name in before, before.get(name))
    ]
    if before and changes:
        print_log(
            f'{source} is of a run with another model or other data: '
            f'{"; ".join(changes[:5])}{"; ..." if len(changes) > 5 else ""}. '
            'What counts is this config.',
            logger='current',
            level=logging.WARNING,
        )


def warn_if_done(runner: Runner) -> None:
    """Say where a run ends before its first step.

    Args:
        runner (Runner): The runner of the training process, resumed or not.
    """
    if isinstance(runner.train_loop, EpochBasedTrainLoop):
        setting, done, end = 'max_epochs', runner.epoch, runner.max_epochs
    else:
        setting, done, end = 'max_iters', runner.iter, runner.max_iters
    if done >= end:
        runner.logger.warning(
            f'Nothing is left to train: {setting}={end}, and {done} are done. '
            f'To go on, set more: --cfg-options train_cfg.{setting}=N'
        )


def _model_and_data(text: object) -> dict[str, Any]:
    cfg = read_config_text(text)
    paths = {
        f'{where}.{name}': node[name]
        for where, node in walk(cfg.get('train_dataloader'), _DATA)
        for name in PATH_SETTINGS
        if name in node
    }
    # The weights that the model once started from are in the checkpoint.
    return paths | {
        name: value
        for name, value in decisive_settings(cfg).items()
        if name.startswith(('model.', 'data_preprocessor.', f'{_DATA}.'))
        and 'init_cfg' not in name
        and name not in paths
    }
