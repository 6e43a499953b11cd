"""A study as a table and as curves."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmselfemd.visualization.curves import curve_colour

from .candidates import BASELINE, CANDIDATES, CAUSES, UNTRAINED
from .differences import Difference
from .readings import figures_of
from .records import Record, differences_to_baseline

#: What decides, and how it is called.
FIGURES = dict(gain='gain', ridge='ridge', knn_balanced='kNN, balanced')

#: What a gain is made of, and what answers without content reach.
CONTROLS = dict(
    accuracy='accuracy',
    other_image='other image',
    same_position='same position',
    chance='chance',
)

LABELS = {UNTRAINED: 'untrained'} | {
    c.name: c.label for c in (*CANDIDATES, *CAUSES)
}


def render_study(records: Sequence[Record], epoch: int) -> str:
    """The tables of a study in Markdown.

    Args:
        records (Sequence[Record]): The readings.
        epoch (int): Epochs trained, of the rows.

    Returns:
        str: Figures with their differences from the baseline, and the
        controls below.
    """
    rows = _by_candidate(records, epoch)
    differences = differences_to_baseline(records, epoch)
    lines = [
        '| after '
        + f'{epoch} epochs | seeds | '
        + ' | '.join(
            f'{label} | less {LABELS[BASELINE]}' for label in FIGURES.values()
        )
        + ' |',
        '| --- ' * (2 + 2 * len(FIGURES)) + '|',
    ]
    for name, runs in rows.items():
        cells = [LABELS[name], str(len(runs))]
        for figure in FIGURES:
            cells += [
                _values(runs, figure),
                _interval(differences.get(name, {}).get(figure)),
            ]
        lines.append('| ' + ' | '.join(cells) + ' |')
    lines += [
        '',
        '| controls | ' + ' | '.join(CONTROLS.values()) + ' |',
        '| --- ' * (1 + len(CONTROLS)) + '|',
    ]
    for name, runs in rows.items():
        cells = [LABELS[name], *(_values(runs, f) for f in CONTROLS)]
        lines.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'


def draw_study(records: Sequence[Record]) -> Figure:
    """What each candidate reads, by epoch.

    Args:
        records (Sequence[Record]): The readings.

    Returns:
        Figure: A panel for each of :data:`FIGURES`: thick the mean over the
        seeds, thin each seed, dotted where there is one; dashed the untrained
        network.
    """
    figure = Figure(figsize=(13, 4.6), layout='constrained')
    axes = figure.subplots(1, len(FIGURES))
    curves: dict[str, dict[int, dict[int, Mapping]]] = defaultdict(dict)
    for record in records:
        runs = curves[record.candidate]
        runs.setdefault(record.seed, {})[record.epoch] = figures_of(
            record.sums
        )
    for panel, (key, label) in zip(axes, FIGURES.items(), strict=True):
        for number, name in enumerate(LABELS):  # each of a colour for good
            if name in curves:
                colour = curve_colour(number)
                _draw_curves(panel, curves[name], key, name, colour)
        panel.set_title(label, loc='left')
        panel.set_xlabel('epoch')
        panel.grid(alpha=0.3)
        panel.spines[['top', 'right']].set_visible(False)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc='outside lower center',
        ncols=4,
        frameon=False,
    )
    return figure


def _draw_curves(
    panel: Axes, runs: Mapping[int, Mapping], key: str, name: str, colour: Any
) -> None:
    label = LABELS[name]
    if name == UNTRAINED:
        mean = np.mean([read[0][key] for read in runs.values()])
        panel.axhline(mean, color=colour, linestyle='--', label=label)
        return
    for read in runs.values():
        epochs = sorted(read)
        values = [read[epoch][key] for epoch in epochs]
        panel.plot(epochs, values, color=colour, linewidth=0.7, alpha=0.4)
    shared = sorted(set.intersection(*(set(read) for read in runs.values())))
    means = [
        np.mean([read[epoch][key] for read in runs.values()])
        for epoch in shared
    ]
    style, width = 'o-', 2.0
    if len(runs) == 1:
        style, width, label = 'o:', 1.0, f'{label}, one seed'
    panel.plot(
        shared, means, style, color=colour, linewidth=width, ms=4, label=label
    )


def _by_candidate(
    records: Sequence[Record], epoch: int
) -> dict[str, list[dict[str, float]]]:
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in LABELS}
    for record in sorted(records, key=lambda record: record.seed):
        if record.epoch in (0, epoch):
            rows[record.candidate].append(figures_of(record.sums))
    return {name: runs for name, runs in rows.items() if runs}


def _values(runs: Sequence[Mapping[str, float]], figure: str) -> str:
    values = [f'{run[figure]:.3f}' for run in runs]
    return values[0] if len(set(values)) == 1 else ', '.join(values)


def _interval(difference: Difference | None) -> str:
    if difference is None:
        return ''
    if difference.num_seeds < 2:
        return f'{difference.mean:+.3f} (one seed)'
    text = (
        f'{difference.mean:+.3f} '
        f'[{difference.low:+.3f}, {difference.high:+.3f}]'
    )
    return f'**{text}**' if difference.is_clear else text
