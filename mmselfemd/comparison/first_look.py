"""A cheap first look: what the frozen backbones read, minutes after training.

What a reading shows of a fine-tuned detector is little: it says whether a
backbone has learnt something, before days are spent on the detectors.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write
from mmselfemd.engine.launch import load_config
from mmselfemd.errors import UserError
from mmselfemd.study.differences import Difference
from mmselfemd.study.readings import Reader, Sums, figures_of
from mmselfemd.study.records import differences_of, load_sums, save_sums

from .blocks import Block, Heading, Paragraph, Table
from .candidates import Candidate
from .plan import Plan, data_file
from .runs import PretrainingRun, detector_runs, pretraining_runs
from .weights import quietly

#: What is read, and how it is called: docs/small_experiments.md.
_FIGURES = dict(gain='gain', ridge='ridge', knn_balanced='kNN, balanced')

#: Boxes of each file at most, and images whose crops are matched.
_MAX_BOXES, _MAX_IMAGES = 20_000, 512
_LOOK = 'first_look.json'


def runs_to_read(plan: Plan) -> list[PretrainingRun]:
    """The pre-trainings that a first look needs.

    Args:
        plan (Plan): The plan.

    Returns:
        list[PretrainingRun]: Those before the detectors of the largest share
        of the labels.
    """
    return [
        run
        for run in pretraining_runs(plan.runs)
        if run.fraction in (None, max(plan.subsets))
    ]


def take_look(plan: Plan) -> str:
    """Read the backbones of all candidates and seeds that are there.

    Args:
        plan (Plan): A plan of which :func:`runs_to_read` are done.

    Returns:
        str: A table in Markdown, which is in the report, too.

    Raises:
        UserError: If there are fewer than two candidates to read.
    """
    with quietly():
        sums = {each.name: _read(plan, each) for each in plan.candidates}
    baseline = plan.candidates[0].name
    found = dict(
        baseline=baseline,
        readings={
            name: [figures_of(each) for each in seeds]
            for name, seeds in sums.items()
        },
        differences={
            name: {
                figure: _as_json(difference)
                for figure, difference in differences_of(
                    seeds, sums[baseline]
                ).items()
            }
            for name, seeds in sums.items()
            if name != baseline
        },
    )
    with atomic_write(plan.work_dir / _LOOK) as file:
        file.write(json.dumps(found, indent=2).encode())
    table = _table(plan, found)
    lines = [table.header, ['---'] * len(table.header), *table.rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def read_look(plan: Plan) -> dict | None:
    """What an earlier look has found.

    Args:
        plan (Plan): The plan.

    Returns:
        dict | None: ``baseline``, ``readings`` and ``differences``; None if
        there was no look.
    """
    path = plan.work_dir / _LOOK
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"'{path}' was damaged: delete it, or look again with --look"
        )
    return found


def look_blocks(plan: Plan) -> list[Block]:
    """The first look as a part of the report.

    Args:
        plan (Plan): The plan.

    Returns:
        list[Block]: Empty if there was none.
    """
    found = read_look(plan)
    if found is None:
        return []
    return [
        Heading('The frozen backbones'),
        Paragraph(
            'Gain: matching accuracy less that with another image; ridge and '
            'kNN: classes of boxes of val, read off those of train. In '
            'brackets the 95 % interval of the difference from '
            f'{_label(plan, found["baseline"])}, over seeds and images. They '
            'are no measure of a detector.'
        ),
        _table(plan, found),
    ]


def _table(plan: Plan, found: dict) -> Table:
    rows = []
    for candidate in plan.candidates:
        seeds = found['readings'][candidate.name]
        differences = found['differences'].get(candidate.name, {})
        cells = [candidate.label, str(len(seeds))]
        for figure in _FIGURES:
            mean = sum(seed[figure] for seed in seeds) / len(seeds)
            text = f'{mean:.3f}'
            if figure in differences:
                text += _interval(Difference(**differences[figure]))
            cells.append(text)
        rows.append(cells)
    return Table(['', 'seeds', *_FIGURES.values()], rows)


def _as_json(difference: Difference) -> dict:
    """JSON has no NaN: None where there is no interval."""
    return {
        name: None if value != value else value
        for name, value in difference._asdict().items()
    }


def _interval(difference: Difference) -> str:
    if difference.low is None:
        return f' ({difference.mean:+.3f}, one seed)'
    return (
        f' ({difference.mean:+.3f} '
        f'[{difference.low:+.3f}, {difference.high:+.3f}])'
    )


def _label(plan: Plan, name: str) -> str:
    return next(c.label for c in plan.candidates if c.name == name)


def _read(plan: Plan, candidate: Candidate) -> list[Sums]:
    """Of each seed; what was read is kept."""
    found = []
    reader = None
    for seed in range(plan.settings.seeds):
        stem = f'{candidate.name}_seed{seed}'
        path = plan.work_dir / 'readings' / f'{stem}.npz'
        if not path.is_file():
            print(f'reading {stem}', flush=True)
            reader = reader or _reader(plan, candidate)
            weights = _weights(plan, candidate, seed)
            save_sums(path, reader.read(weights, seed))
        found.append(load_sums(path))
    return found


def _weights(plan: Plan, candidate: Candidate, seed: int) -> str | None:
    """What the detectors of a seed begin with."""
    for run in runs_to_read(plan):
        if (run.candidate, run.seed) == (candidate, seed) and not run.is_done:
            raise UserError(
                f'{run.name} is not done: there is nothing to read'
            )
    return next(
        run.pretrained
        for run in detector_runs(plan.runs)
        if (run.candidate, run.seed, run.fraction)
        == (candidate, seed, max(plan.subsets))
    )


def _reader(plan: Plan, candidate: Candidate) -> Reader:
    """All backbones are of one architecture, that of the detector."""
    val = plan.data.val
    names = data_file(plan.work_dir, 'val.txt')
    names.write_text(
        ''.join(f'{image["file_name"]}\n' for image in val.content['images'])
    )
    cfg = _config_with_views(plan, candidate)
    cfg.val_dataloader.dataset.pop('every', None)  # it was for other images
    cfg.val_dataloader.dataset.update(
        data_root='',
        data_prefix=f'{val.folder}/',
        ann_file=str(names),
        indices=_MAX_IMAGES,
        seed=0,
    )
    train = data_file(plan.work_dir, f'train_{max(plan.subsets):g}.json')
    boxes = (train, plan.data.train.folder), (plan.val_file, val.folder)
    return Reader(cfg, boxes, _MAX_BOXES)


def _config_with_views(plan: Plan, candidate: Candidate) -> Config:
    """That of the candidate, or of another one: Montage's has no views."""
    settings = plan.settings
    trained = [
        each.config
        for each in (candidate, *plan.candidates)
        if each.config is not None
    ]
    own = None
    for config in trained or [settings.pretraining['selfemd']]:
        cfg = load_config(str(config), cfg_options=settings.pretrain_options)
        if _has_views(cfg):
            return cfg
        own = own or cfg
    return _with_other_views(own, settings.pretraining.values())


def _with_other_views(own: Config, others: Iterable[Path]) -> Config:
    """What a backbone is, and sees, by one config; views by another."""
    # Not the options, which were meant for the one.
    values = {name: own.get(name) for name in ('value_range', 'bands')}
    for path in others:
        cfg = load_config(str(path), cfg_options=values)
        if _has_views(cfg):
            cfg.model.backbone = own.model.backbone
            pixels = own.get('data_preprocessor') or {}
            cfg.data_preprocessor.update(
                {
                    name: pixels[name]
                    for name in ('mean', 'std')
                    if name in pixels
                }
            )
            return cfg
    raise UserError(
        '--look: no config of pre-training has a val_dataloader, by whose '
        'views backbones are read'
    )


def _has_views(cfg: Config) -> bool:
    # Options alone may be there.
    return 'dataset' in (cfg.get('val_dataloader') or {})
