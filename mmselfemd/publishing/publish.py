"""Puts together what is given away, and says so in the index."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserFileExistsError, UserValueError
from mmselfemd.visualization import draw_curves, save_figure
from mmselfemd.visualization.curve_sources import logs_of_run, read_curves
from mmselfemd.zoo.extract import ExtractedBackbone, extract_backbone

from .finished_run import FinishedRun, read_finished_runs
from .metafile import find_entry, replace_entry, text_of
from .model_card import model_card
from .readings import by_full_name, readings_of

__all__ = ['Published', 'publish']

#: Digits of the SHA-256 in the name of a file, as in OpenMMLab's.
HASH_DIGITS = 8

_LOSSES = ('loss', 'loss_emd', 'loss_byol')
# Of the readings, those that the index has, and its names for them.
_TASKS = {
    'Self-Supervised Matching': {
        'gain': 'gain over another image',
        'gain of the untrained network': 'gain over another image '
        'of the untrained network',
    },
    'Object Detection': {
        'box AP50': 'box AP50 of a detector from it',
        'box AP50 from random weights': 'box AP50 of a detector from it '
        'from random weights',
        'box AP': 'box AP of a detector from it',
        'box AP from random weights': 'box AP of a detector from it '
        'from random weights',
    },
}


class Published(NamedTuple):
    """What :func:`publish` wrote.

    Attributes:
        weights (Path): The file of the weights.
        files (list[Path]): All files, that one first.
        backbone (ExtractedBackbone): What is in it.
        metafile (Path): The metafile that names it.
        entry (str): The model's entry in it, as YAML.
    """

    weights: Path
    files: list[Path]
    backbone: ExtractedBackbone
    metafile: Path
    entry: str


def publish(
    work_dirs: Sequence[str | Path],
    root: str | Path,
    out: str | Path | None = None,
    url: str | None = None,
    force: bool = False,
) -> Published:
    """Write the files of a model that is given away, and its entry.

    The model's name is that of its config. Into ``out`` go the backbone as
    ``NAME-HASH.pth``, where the hash is the first eight digits of its
    SHA-256; the log of its training as ``NAME.json``, mmengine's scalars; the
    curve of its losses as ``NAME.png``; and the card, ``NAME.md``. The entry
    of the index gets ``Weights``, ``SHA256`` and ``Results``. Nothing is
    written before all is known to fit.

    Args:
        work_dirs (Sequence[str | Path]): Work directories of
            ``tools/demo.py``, one for each seed. The weights are the first
            one's.
        root (str | Path): The folder of ``model-index.yml``. Its metafiles
            have an entry of this name.
        out (str | Path, optional): The folder to write into. Defaults to
            None: ``weights`` beside the metafile.
        url (str, optional): The address of the folder that the weights will
            be downloaded from. Defaults to None: they come with the package,
            and ``out`` is below ``root``.
        force (bool): Whether to replace what is there, a published file of
            this name included. Defaults to False.

    Returns:
        Published: What was written.

    Raises:
        UserFileNotFoundError: If a run has not ended.
        UserFileExistsError: If a file is there, or the index has another
            file of this name, and ``force`` is not set.
        UserValueError: If runs do not belong together, the index has no such
            model or its entry cannot be replaced, or ``out`` is not below
            ``root``.
    """
    runs = read_finished_runs(work_dirs)
    name, root = runs[0].name, Path(root).resolve()
    metafile, entry = find_entry(root, name)
    out = (metafile.parent / 'weights' if out is None else Path(out)).resolve()
    is_below = out.is_relative_to(root)
    _check_place(out, root, url)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        backbone = extract_backbone(runs[0].checkpoint, made / f'{name}.pth')
        file = f'{name}-{backbone.sha256[:HASH_DIGITS]}.pth'
        (made / f'{name}.pth').rename(made / file)
        address = f'{url.rstrip("/")}/{file}' if url else None
        _write_log(runs[0], made / name)
        card = model_card(
            *(name, entry['Config'], file, address),
            f'{os.path.relpath(root, out)}/' if is_below else None,
            backbone,
            runs,
        )
        (made / f'{name}.md').write_text(card, 'utf-8')
        names = [file, f'{name}.json', f'{name}.png', f'{name}.md']
        old = _check_replaceable(out, names, entry, backbone.sha256, force)
        card_place = os.path.relpath(out / f'{name}.md', root)
        entry |= dict(
            Weights=address or os.path.relpath(out / file, root),
            SHA256=backbone.sha256,
            Results=_results(runs, card_place if is_below else None),
        )
        text = replace_entry(metafile, entry)
        for each in names:
            _copy(made / each, out / each)
    with atomic_write(metafile) as opened:
        opened.write(text.encode())
    # The last step: until now the index named the old weights.
    for path in old - {out / each for each in names}:
        path.unlink()
    return Published(
        out / file,
        [out / each for each in names],
        backbone,
        metafile,
        text_of(entry),
    )


def _check_place(out: Path, root: Path, url: str | None) -> None:
    if url is not None and '://' not in url:
        raise UserValueError(
            f'--url {url}: expected the address of a folder, such as '
            'https://example.org/models'
        )
    if url is None and not out.is_relative_to(root):
        raise UserValueError(
            f'{out} is not below {root}, so the file cannot come with the '
            'package. Name a folder there, or give the address that the '
            'file will have: --url.'
        )


def _write_log(run: FinishedRun, stem: Path) -> None:
    """The log of pre-training, of all its starts, and its curve."""
    files = logs_of_run(run.pretraining)
    curves = read_curves(run.pretraining)
    with open(f'{stem}.json', 'wb') as log:
        for file in files:
            log.write(file.read_bytes())
    figure = draw_curves(
        {name: curves[name] for name in _LOSSES if name in curves},
        title=f'{run.name}, seed {run.seed}',
    )
    save_figure(figure, f'{stem}.png')


def _check_replaceable(
    out: Path, names: Sequence[str], entry: dict, sha256: str, force: bool
) -> set[Path]:
    """Find the files that are replaced; raise unless they may be."""
    published = entry.get('SHA256') if entry.get('Weights') else None
    if published not in (None, sha256) and not force:
        raise UserFileExistsError(
            f'the index has {entry["Name"]} already, as {entry["Weights"]}, '
            f'and this is another file (SHA-256 {sha256}). A published file '
            'stays, since the runs of others name it: give this one a config '
            'of another name. Or replace it: --force.'
        )
    older = out.glob(f'{entry["Name"]}-{"[0-9a-f]" * HASH_DIGITS}.pth')
    old = {*older, *(out / each for each in names if (out / each).exists())}
    if old and not force:
        raise UserFileExistsError(
            f'{min(old)} exists: name another folder, or replace what is '
            'there: --force'
        )
    return old


def _copy(source: Path, target: Path) -> None:
    with atomic_write(target) as file, source.open('rb') as content:
        shutil.copyfileobj(content, file)


def _results(runs: Sequence[FinishedRun], card: str | None) -> list[dict]:
    """The means, in the layout of a metafile."""
    seeds = f'{len(runs)} seed{"s" if len(runs) > 1 else ""}'
    reported_by = f'this project, mean of {seeds}'
    if card:
        reported_by += f', see {card}'
    readings = by_full_name(readings_of(runs))
    results = []
    for task, names in _TASKS.items():
        metrics = {'Reported By': reported_by}
        for theirs, ours in names.items():
            reading = readings[ours]
            metrics[theirs] = round(reading.mean, reading.digits)
            if reading.interval is not None:
                metrics[f'{theirs}, 95 %'] = reading.interval_text
        dataset = 'synthetic scenes of this project'
        results.append(dict(Task=task, Dataset=dataset, Metrics=metrics))
    return results
