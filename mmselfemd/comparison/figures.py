"""The curves of a comparison."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmselfemd.visualization.curves import Series, draw_curves
from mmselfemd.visualization.saving import save_figure

from .results import METRIC, Results
from .runs import Run, curves_of, pretraining_runs, share_name

_LOGGED = 'coco/bbox_mAP_50'


def save_figures(results: Results, folder: Path) -> dict[str, Path]:
    """Draw what there is to draw.

    Args:
        results (Results): The evaluations.
        folder (Path): Where the pictures go.

    Returns:
        dict[str, Path]: By caption.
    """
    found = {
        'Loss of pre-training; losses of different methods do not compare.': (
            _losses(results)
        ),
        f'{METRIC} over the shares of the labels: mean over the seeds, and '
        'each seed.': _over_fractions(results),
    }
    for fraction in results.fractions:
        found[
            f'{METRIC} in the course of training, {share_name(fraction)}: '
            'mean over the seeds.'
        ] = _over_iterations(results, fraction)
    return {
        caption: save_figure(figure, folder / f'curve_{number}.png', dpi=90)
        for number, (caption, figure) in enumerate(found.items())
        if figure is not None
    }


def _losses(results: Results) -> Figure | None:
    series = {}
    for run in pretraining_runs(results.plan.runs):
        curves = _curves(run)
        if 'loss' in curves:
            series[run.label] = curves['loss']
    return draw_curves(series, 'Pre-training') if series else None


def _over_iterations(results: Results, fraction: float) -> Figure | None:
    series = {}
    for candidate in results.plan.candidates:
        runs = results.runs(candidate, fraction)
        found = [_curves(run).get(_LOGGED) for run in runs]
        if mean := _mean([each for each in found if each]):
            steps, values = mean
            series[candidate.label] = steps, [100 * each for each in values]
    if all(len(steps) < 2 for steps, _ in series.values()):
        return None  # one evaluation at the end, which the table has
    title = f'{METRIC} of the detectors'
    return draw_curves(series, title, ylabel=METRIC, window=1)


def _mean(curves: list[Series]) -> Series | None:
    """At the steps that all have."""
    by_step = [dict(zip(*curve, strict=True)) for curve in curves]
    shared = sorted(set.intersection(*map(set, by_step))) if by_step else []
    values = [
        float(np.mean([curve[step] for curve in by_step])) for step in shared
    ]
    return (shared, values) if shared else None


def _over_fractions(results: Results) -> Figure | None:
    fractions = results.fractions[::-1]
    if len(fractions) < 2:
        return None
    figure = Figure(figsize=(9, 5), layout='constrained')
    axes = figure.add_subplot()
    for number, candidate in enumerate(results.plan.candidates):
        colour = f'C{number}'
        values = [
            [100 * seed[METRIC] for seed in results.figures(candidate, each)]
            for each in fractions
        ]
        means = list(map(np.mean, values))
        axes.plot(fractions, means, color=colour, label=candidate.label)
        for fraction, seeds in zip(fractions, values, strict=True):
            axes.plot([fraction] * len(seeds), seeds, 'o', color=colour, ms=4)
    axes.set_xscale('log')
    axes.set_xticks(fractions, [f'{100 * each:g} %' for each in fractions])
    axes.minorticks_off()
    axes.set_xlabel('share of the labels')
    axes.set_ylabel(METRIC)
    axes.set_title(f'{METRIC} by labels', fontsize=14, loc='left')
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _curves(run: Run) -> Mapping[str, Series]:
    """Of a run that has logged something."""
    if not any(run.work_dir.glob('*/vis_data/scalars.json')):
        return {}
    return curves_of(run)
