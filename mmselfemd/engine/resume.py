"""Which checkpoint a run goes on from, and whether it fits."""

from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint
from torch import nn

from mmselfemd.errors import UserFileNotFoundError, UserValueError


def find_checkpoint_to_resume(
    work_dir: str | Path,
    folder: str | Path | None = None,
    filename_tmpls: tuple[str, ...] = ('iter_{}.pth', 'epoch_{}.pth'),
) -> str | None:
    """Find the newest whole checkpoint of a run.

    ``last_checkpoint`` holds a path, which is wrong once the folder was moved
    or copied, empty if mmengine's own hook was killed while it wrote it, and
    missing if the first save was cut short after the checkpoint itself. So a
    file of that name beside it comes first (after ``cp -r`` the old path
    still exists, and belongs to the other run), then the path, then the file
    of the largest epoch or iteration.

    Args:
        work_dir (str or Path): The folder of ``last_checkpoint``.
        folder (str or Path, optional): The folder of the checkpoints.
            Defaults to None, which means ``work_dir``.
        filename_tmpls (tuple[str]): How checkpoints are named.
            Defaults to ('iter_{}.pth', 'epoch_{}.pth').

    Returns:
        str or None: Its path. None if the run has not saved any yet.

    Raises:
        FileNotFoundError: If ``last_checkpoint`` names a file that is gone,
            and there is no other.
    """
    folder = Path(work_dir if folder is None else folder)
    pointer = find_latest_checkpoint(str(work_dir))
    if pointer:
        for path in (folder / Path(pointer).name, Path(pointer)):
            if path.is_file():
                return str(path)
    for filename_tmpl in filename_tmpls:
        newest = _newest(folder, filename_tmpl)
        if newest:
            print_log(
                f'last_checkpoint of {work_dir} names '
                f'{pointer or "nothing"}; going on from {newest}, the newest '
                'there.',
                logger='current',
            )
            return str(newest)
    if pointer:
        raise UserFileNotFoundError(
            f'Cannot resume: last_checkpoint of {work_dir} names {pointer}, '
            f'which is neither there nor in {folder}, and there is no other '
            'checkpoint. Name one: --resume PATH, or delete last_checkpoint '
            'to start anew.'
        )
    return None


def _newest(folder: Path, filename_tmpl: str) -> Path | None:
    """The checkpoint of the largest epoch or iteration in a folder."""
    start, end = filename_tmpl.split('{}')
    steps = [
        path.name[len(start) : len(path.name) - len(end)]
        for path in folder.glob(filename_tmpl.format('*'))
    ]
    steps = [int(step) for step in steps if step.isdecimal()]
    return folder / filename_tmpl.format(max(steps)) if steps else None


def check_fits(
    model: nn.Module, checkpoint: dict, source: str, part: str = ''
) -> None:
    """Raise if a checkpoint is of another architecture than a model.

    mmengine loads what fits and logs the rest as a warning, so that a run
    would go on, or be evaluated, with weights that are partly random.

    Args:
        model (nn.Module): The model.
        checkpoint (dict): A checkpoint with ``state_dict``, or a bare one.
        source (str): Where it came from, for the error.
        part (str): Only names that begin so are compared, such as
            ``backbone.``. Defaults to '': the whole model.

    Raises:
        UserValueError: If the model has a tensor that the checkpoint lacks
            or has in another shape, or if the checkpoint's backbone has one
            that the model lacks (a deeper network, which would be cut).
    """
    found = checkpoint.get('state_dict', checkpoint)
    found = {
        name.removeprefix('module.'): tuple(value.shape)
        for name, value in found.items()
    }
    wanted = {
        name: tuple(value.shape)
        for name, value in model.state_dict().items()
        # Older files lack BN's batch counters, which nothing depends on.
        if name.startswith(part) and not name.endswith('num_batches_tracked')
    }
    misfits = [
        f'{name}: {found[name]} in the file, {shape} in the model'
        if name in found
        else f'{name}: missing in the file'
        for name, shape in wanted.items()
        if found.get(name) != shape
    ]
    misfits += [
        f'{name}: missing in the model'
        for name in found
        if name.startswith('backbone.')
        and name not in wanted
        and not name.endswith('num_batches_tracked')
    ]
    if misfits:
        raise UserValueError(
            f'{source} is of another architecture than {type(model).__name__} '
            f'of this config: {len(misfits)} tensors do not fit, first '
            f'{misfits[0]}. Use the config that the checkpoint was trained '
            'with.'
        )
