"""Which checkpoint a run goes on from."""

import logging
from pathlib import Path
from zipfile import is_zipfile

from mmengine.logging import print_log

from mmselfemd.errors import UserFileNotFoundError

#: mmengine's names, by iteration and by epoch.
CHECKPOINT_TEMPLATES = ('iter_{}.pth', 'epoch_{}.pth')


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
    filename_tmpls: tuple[str, ...] = CHECKPOINT_TEMPLATES,
) -> str | None:
    """Find the newest whole checkpoint of a run.

    ``last_checkpoint`` holds a path, which is wrong once the folder was moved
    or copied, empty or rubbish if mmengine's own hook was killed while it
    wrote it or the power failed, and missing if the first save was cut short
    after the checkpoint itself. So a file of that name beside it comes first
    (after ``cp -r`` the old path still exists, and belongs to the other run),
    then the path, then the file of the largest epoch or iteration. A file
    that was cut short, by a full disk while it was copied for instance, is
    passed over.

    Args:
        work_dir (str or Path): The folder of ``last_checkpoint``.
        folder (str or Path, optional): The folder of the checkpoints.
            Defaults to None, which means ``work_dir``.
        filename_tmpls (tuple[str]): How checkpoints are named.
            Defaults to :data:`CHECKPOINT_TEMPLATES`.

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
    others = [
        path for tmpl in filename_tmpls for path in _newest_first(folder, tmpl)
    ]
    found = [path for path in named if _is_file(path)] + others
    cut = [path for path in found if _is_cut_short(path)]
    if whole := [path for path in found if path not in cut]:
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


def _newest_first(folder: Path, filename_tmpl: str) -> list[Path]:
    """The checkpoints in a folder, those of later steps first."""
    start, end = filename_tmpl.split('{}')
    steps = [
        path.name[len(start) : len(path.name) - len(end)]
        for path in folder.glob(filename_tmpl.format('*'))
    ]
    steps = [int(step) for step in steps if step.isdecimal()]
    return [
        folder / filename_tmpl.format(step)
        for step in sorted(steps, reverse=True)
    ]
