"""What the work directory of a finished ``tools/demo.py`` says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.runner.checkpoint import (
    CheckpointLoader,
    find_latest_checkpoint,
)

from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.settings.config_file import read_config
from mmselfemd.settings.decisive_settings import decisive_settings

__all__ = ['FinishedRun', 'read_finished_runs']

SUMMARY = 'summary.json'
_PARTS_OF_SUMMARY = ('settings', 'pretrain', 'flow', 'detector', 'did_it_help')

# Folders of a demo: the pre-training and its two detectors.
_PRETRAINING = 'pretrain'
_PARTS = (_PRETRAINING, 'detector', 'detector_random')

# Where the made-up scenes lie in their folder; photographs have no such place.
_SCENES = 'train2017/'


class FinishedRun(NamedTuple):
    """A demo that has run to its end.

    Attributes:
        work_dir (Path): Where it is.
        name (str): Name of the config of its pre-training.
        seed (int): Its seed.
        num_scenes (int): Scenes for training.
        checkpoint (Path): The end of its pre-training.
        epochs (int): Epochs of pre-training.
        summary (dict): What ``summary.json`` holds.
        settings (dict[str, Any]): What decides about the result, by dotted
            path; alike in all seeds of one config.
    """

    work_dir: Path
    name: str
    seed: int
    num_scenes: int
    checkpoint: Path
    epochs: int
    summary: dict
    settings: dict[str, Any]

    @property
    def pretraining(self) -> Path:
        """The folder of the pre-training."""
        return self.work_dir / _PRETRAINING


def read_finished_runs(work_dirs: Sequence[str | Path]) -> list[FinishedRun]:
    """Read demos that differ in nothing but their seeds.

    Args:
        work_dirs (Sequence[str | Path]): Their work directories.

    Returns:
        list[FinishedRun]: The runs, in the same order.

    Raises:
        UserFileNotFoundError: If one has not run to its end.
        UserValueError: If one is no such directory, was trained on anything
            but made-up scenes, or differs from the first in more than the
            seed, or in less.
    """
    runs = [_read(Path(work_dir)) for work_dir in work_dirs]
    first, seeds = runs[0], {}
    for run in runs:
        _check_alike(first, run)
        if run.seed in seeds:
            raise UserValueError(
                f'{seeds[run.seed]} and {run.work_dir} are both of seed '
                f'{run.seed}: one run says nothing that the other does not. '
                'Leave one out.'
            )
        seeds[run.seed] = run.work_dir
    return runs


def _read(work_dir: Path) -> FinishedRun:
    summary = _read_summary(work_dir)
    configs = {part: _config_of(work_dir / part) for part in _PARTS}
    name, cfg = configs[_PRETRAINING]
    place = cfg.train_dataloader.dataset.get('data_prefix')
    if place != _SCENES:
        raise UserValueError(
            f'{work_dir} was pre-trained on '
            f'{cfg.train_dataloader.dataset.data_root}, not on scenes that '
            'tools/demo.py made: only those are known to be free to give '
            'away. Train without --images.'
        )
    epochs = cfg.train_cfg.max_epochs
    checkpoint = _last_checkpoint(work_dir, epochs, summary)
    settings = dict(summary['settings'])
    seed = settings.pop('seed')
    settings.pop('pretraining')  # its name; a path may be absolute
    for part, (_, of_part) in configs.items():
        for path, value in decisive_settings(of_part.to_dict()).items():
            settings[f'{part}: {path}'] = value
    return FinishedRun(
        work_dir,
        name,
        seed,
        settings['num_scenes'],
        checkpoint,
        epochs,
        summary,
        settings,
    )


def _read_summary(work_dir: Path) -> dict:
    path = work_dir / SUMMARY
    if not path.is_file():
        raise UserFileNotFoundError(
            f'{path} is not there: tools/demo.py writes it when it has run '
            'to its end. Let the run end, or name the --work-dir of another.'
        )
    try:
        summary = json.loads(path.read_text())
        missing = {*_PARTS_OF_SUMMARY} - set(summary)
    except (ValueError, TypeError) as error:
        raise UserValueError(f'{path} is no summary: {error}') from error
    if missing:
        raise UserValueError(
            f'{path} lacks {", ".join(sorted(missing))}: it is not of this '
            'version of tools/demo.py. Run that again.'
        )
    return summary


def _config_of(folder: Path) -> tuple[str, Any]:
    configs = sorted(folder.glob('*.py'))
    if len(configs) != 1:
        raise UserValueError(
            f'{folder}: expected the work directory of one run, with its '
            f'config, but found {len(configs)} configs in it'
        )
    return configs[0].stem, read_config(str(configs[0]))


def _last_checkpoint(work_dir: Path, epochs: int, summary: dict) -> Path:
    """The checkpoint of the last epoch, which the summary is about."""
    folder = work_dir / _PRETRAINING
    found = find_latest_checkpoint(str(folder))
    # It names the place where the run was; it may have been moved since.
    path = folder / Path(found).name if found else None
    if path is None or not path.is_file():
        raise UserFileNotFoundError(
            f'{folder} holds no checkpoint of the end of a run'
        )
    meta = CheckpointLoader.load_checkpoint(
        str(path), map_location='cpu', logger='silent'
    ).get('meta', {})
    done, iterations = meta.get('epoch'), meta.get('iter')
    if done != epochs:
        raise UserValueError(
            f'{path} is of epoch {done} of {epochs}: the pre-training has '
            'not ended. Let it end.'
        )
    if iterations != summary['pretrain'].get('iterations'):
        raise UserValueError(
            f'{path} is of iteration {iterations}, and {work_dir / SUMMARY} '
            f'of a run that ended with {summary["pretrain"]["iterations"]}: '
            'the folder holds parts of two runs. Run tools/demo.py again.'
        )
    return path


def _check_alike(first: FinishedRun, other: FinishedRun) -> None:
    """Raise if more than the seed differs."""
    if other.name != first.name:
        raise UserValueError(
            f'{first.work_dir} is of {first.name} and {other.work_dir} of '
            f'{other.name}: a model has one config. Name runs of one.'
        )
    for path in first.settings | other.settings:
        ours, theirs = first.settings.get(path), other.settings.get(path)
        if ours != theirs:
            raise UserValueError(
                f'{first.work_dir} and {other.work_dir} differ in more than '
                f'the seed: {path} is {ours!r} and {theirs!r}. Name runs '
                'of one setting.'
            )
