"""The answer of a comparison: as JSON, as Markdown and as a page."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserError

from .blocks import (
    Block,
    Heading,
    Image,
    Paragraph,
    Table,
    render_html,
    render_markdown,
)
from .difference import Difference
from .figures import save_figures
from .first_look import look_blocks, read_look
from .metrics import METRICS
from .pictures import save_pictures
from .plan import Plan
from .results import METRIC, Results
from .runs import share_name
from .usage import usage_rows

_HOW_TO_READ = (
    'Each interval is that of a difference over other seeds and other images '
    'of the same kind (docs/did_it_help.md). The detectors of a share of the '
    'labels are trained by one config; what their backbones begin with is all '
    'that differs. The figures hold for these photographs, this detector and '
    'this length of training. Of many intervals some leave out zero by '
    'chance.'
)


def write_report(plan: Plan, resamples: int = 1000) -> list[str]:
    """Write ``report.json``, ``report.md`` and ``report.html``.

    Args:
        plan (Plan): A plan, of whose runs enough are done.
        resamples (int): How often images are drawn for an interval. Defaults
            to 1000.

    Returns:
        list[str]: The sentences, of the largest share of the labels first.

    Raises:
        UserError: If no seed is done for all candidates.
    """
    results = Results(plan, resamples)
    if not results.matches:
        raise UserError(
            f'{plan.work_dir}: no seed is done for all candidates yet, so '
            'that there is nothing to report'
        )
    said = sentences(results)
    folder = plan.work_dir / 'figures'
    blocks = [
        *_answer(results, said),
        *_tables(results),
        *look_blocks(plan),
        *_curves(results, folder),
        *_images(results, folder),
        *_how(plan),
    ]
    for name, text in dict(
        json=json.dumps(as_json(results, said), indent=2) + '\n',
        md=render_markdown(blocks, plan.work_dir),
        html=render_html(blocks),
    ).items():
        with atomic_write(plan.work_dir / f'report.{name}') as file:
            file.write(text.encode())
    return [sentence for _, sentence in said]


def sentences(results: Results) -> list[tuple[float, str]]:
    """One for each pair and share of the labels.

    Args:
        results (Results): The evaluations.

    Returns:
        list[tuple[float, str]]: The share and the sentence.
    """
    return [
        (
            fraction,
            results.differences(first, second, fraction)[METRIC].sentence(
                first.label, second.label
            ),
        )
        for fraction in results.fractions
        for first, second in results.pairs()
    ]


def as_json(results: Results, said: Sequence[tuple[float, str]]) -> dict:
    """All figures of a report.

    Args:
        results (Results): The evaluations.
        said (Sequence[tuple[float, str]]): The sentences.

    Returns:
        dict: In JSON's types.
    """
    plan = results.plan
    return dict(
        sentences=[
            dict(labels=fraction, sentence=text) for fraction, text in said
        ],
        settings=plan.settings.as_json(),
        images=dict(
            unlabelled=len(plan.data.unlabelled),
            train={f'{f:g}': s.num_images for f, s in plan.subsets.items()},
            val=plan.data.val.num_images,
        ),
        detectors=[
            dict(
                candidate=run.candidate.name,
                labels=run.fraction,
                seed=run.seed,
                iterations=run.iterations,
                predictions=str(run.predictions.relative_to(plan.work_dir)),
                figures=matches.average_precision(),
            )
            for run, matches in results.matches.items()
        ],
        differences=[
            dict(first=first.name, second=second.name, labels=fraction)
            | difference.as_json()
            for fraction in results.fractions
            for first, second in results.pairs()
            for difference in results.differences(
                first, second, fraction
            ).values()
        ],
        usage=usage_rows(plan),
        first_look=read_look(plan),
    )


def _answer(
    results: Results, said: Sequence[tuple[float, str]]
) -> list[Block]:
    blocks: list[Block] = [Heading('Did pre-training help?', 1)]
    several = len(results.plan.subsets) > 1
    for fraction, sentence in said:
        share = f'{share_name(fraction)}: ' if several else ''
        blocks.append(Paragraph(f'{share}{sentence}', is_strong=True))
    left = sum(not run.is_done for run in results.plan.runs)
    if left:
        blocks.append(
            Paragraph(
                f'{left} of {len(results.plan.runs)} runs are not done: this '
                'is about the seeds that are.'
            )
        )
    return [*blocks, Paragraph(_HOW_TO_READ)]


def _tables(results: Results) -> list[Block]:
    share = share_name(results.fractions[0])
    blocks: list[Block] = [Heading('Average precision')]
    candidates = results.plan.candidates
    rows = []
    for fraction in results.fractions:
        for candidate in candidates:
            seeds = results.figures(candidate, fraction)
            rows.append(
                [
                    candidate.label,
                    f'{100 * fraction:g} %',
                    str(len(seeds)),
                    *(
                        _spread([s[metric] for s in seeds])
                        for metric in METRICS
                    ),
                ]
            )
    blocks += [
        Table(['', 'labels', 'seeds', *METRICS], rows),
        Paragraph('Mean over the seeds; in brackets the lowest and highest.'),
        Heading('Differences'),
        _differences(results),
        Heading(f'{METRIC} of each class, {share}'),
        _classes(results),
    ]
    return blocks


def _differences(results: Results) -> Table:
    rows = []
    for fraction in results.fractions:
        for first, second in results.pairs():
            found = results.differences(first, second, fraction)
            rows.append(
                [
                    f'{first.label} less {second.label}',
                    f'{100 * fraction:g} %',
                    *(
                        _interval(found[metric]) if metric in found else '-'
                        for metric in METRICS
                    ),
                ]
            )
    return Table(['', 'labels', *METRICS], rows)


def _classes(results: Results) -> Table:
    fraction = results.fractions[0]
    candidates = results.plan.candidates
    found = [
        [seed['per_class'] for seed in results.figures(each, fraction)]
        for each in candidates
    ]
    rows = [
        [name, *(_spread([s[name][METRIC] for s in seeds]) for seeds in found)]
        for name in found[0][0]
    ]
    return Table(['', *(each.label for each in candidates)], rows)


def _spread(values: Sequence[float]) -> str:
    """In points of 100; -1 stands for nothing to find."""
    if min(values) < 0:
        return '-'
    low, mean, high = (
        f'{100 * each:.1f}'
        for each in (min(values), np.mean(values), max(values))
    )
    return mean if len(values) == 1 else f'{mean} ({low} to {high})'


def _interval(difference: Difference) -> str:
    low, mean, high = (
        100 * each
        for each in (difference.low, difference.mean, difference.high)
    )
    if not np.isfinite(low):
        return f'{mean:+.1f}'
    return f'{mean:+.1f} [{low:+.1f}, {high:+.1f}]'


def _curves(results: Results, folder: Path) -> list[Block]:
    found = save_figures(results, folder)
    pictures = [Image(path, caption) for caption, path in found.items()]
    return [Heading('Curves'), *pictures] if pictures else []


def _images(results: Results, folder: Path) -> list[Block]:
    """Of the last candidate beside the first, on all labels."""
    second, *_, first = results.plan.candidates
    found = save_pictures(results, first, second, results.fractions[0], folder)
    if not found:
        return []
    return [
        Heading(f'Where {first.label} is furthest ahead, and furthest behind'),
        Paragraph(
            'Boxes of a score of 0.3 and more, of the first seed. An image by '
            'itself says little: these are the ends of a wide spread.'
        ),
        *(Image(path, caption) for caption, path in found.items()),
    ]


def _how(plan: Plan) -> list[Block]:
    settings, data = plan.settings, plan.data
    rows = [
        [row['run'], *(row[name] for name in ('iterations', 'time', 'memory'))]
        for row in usage_rows(plan)
    ]
    sets = ', '.join(
        f'{subset.num_images} ({100 * fraction:g} %)'
        for fraction, subset in plan.subsets.items()
    )
    return [
        Heading('What was run'),
        Paragraph(
            f'{len(data.unlabelled)} unlabelled photographs; labelled ones '
            f'for training: {sets}; for evaluation: {data.val.num_images}; '
            f'{data.counted_classes}, {settings.seeds} seeds. Detector: '
            f'{settings.detector.name}. Pre-training: '
            + ', '.join(
                f'{each.name} by {Path(each.config).name}'
                for each in plan.candidates
                if each.config
            )
            + '.'
        ),
        Table(['', 'iterations', 'time of training', 'memory'], rows),
    ]
