"""The paper's Fig. 5: where the flow of a position goes in the other crop."""

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

from .colours import GREEN
from .flow_lines import check_pairs
from .heat import HEAT, cell_size, flow_on_target, heat_map, overlay_heat
from .matched_crops import MatchingPair

_TITLE = 'Optimal matching: where the flow of a position goes'
_GUIDE = (
    'Green box: the chosen position in crop 1. Heat: where its flow '
    'goes in crop 2, brightest at its largest entry; each picture has a '
    'scale of its own.'
)
_TARGET_GUIDE = (
    'White ring: the true place. "On target": share of the flow within one '
    'cell of it; chance: the share of nodes there.'
)


def draw_matching(
    crop1: np.ndarray,
    crop2: np.ndarray,
    flow: np.ndarray,
    position: int,
    centres1: np.ndarray,
    centres2: np.ndarray,
    target: tuple[float, float] | None = None,
    title: str = _TITLE,
) -> Figure:
    """Draw where the flow of one position goes.

    Args:
        crop1 (np.ndarray): RGB uint8 (height, width, 3).
        crop2 (np.ndarray): RGB uint8 (height, width, 3).
        flow (np.ndarray): Flow between the nodes, (N1, N2).
        position (int): The node of crop 1.
        centres1 (np.ndarray): Centres of the nodes in crop 1, (N1, 2).
        centres2 (np.ndarray): Centres of the nodes in crop 2, (N2, 2).
        target (tuple[float, float], optional): The place in crop 2 that
            shows the same as the position, if known and inside. Defaults to
            None.
        title (str): Defaults to what the picture shows.

    Returns:
        Figure: Crop 1 with the position in a green box, crop 2 with the heat
            of the flow, and a colour bar.

    Raises:
        ValueError: If shapes or values do not fit; see
            :class:`MatchingPair`.
    """
    targets = None if target is None else [target]
    pair = MatchingPair(
        crop1, crop2, [flow], [position], centres1, centres2, targets
    )
    figure = Figure(figsize=(9, 5), layout='constrained')
    figure.suptitle(title, fontsize=15)
    left, right = figure.subplots(1, 2)
    _draw_positions(left, pair)
    left.set_title('Crop 1: the chosen position', fontsize=12)
    _draw_heat(right, pair, 0, 0)
    right.set_title('Crop 2: where its flow goes', fontsize=12)
    _add_colour_bar(figure, right)
    guide = _guide([pair], figure.get_figwidth())
    figure.supxlabel('\n'.join(guide), fontsize=9.5)
    return figure


def draw_matching_figure(
    pairs: Sequence[MatchingPair],
    titles: Sequence[str] = ('untrained', 'trained'),
    title: str = _TITLE,
) -> Figure:
    """Draw a page of matchings: one row a pair, networks side by side.

    Args:
        pairs (Sequence[MatchingPair]): The rows, each with as many flows as
            there are titles. Where one has fewer positions than another
            its last columns stay empty.
        titles (Sequence[str]): What the flows come from. Defaults to
            ('untrained', 'trained').
        title (str): Title of the page. Defaults to what it shows.

    Returns:
        Figure: For each pair crop 1 with its positions in green boxes, then
            for each position crop 2 with one heat map a title.

    Raises:
        ValueError: If there is no pair, or a number of flows differs from
            that of the titles.
    """
    check_pairs(pairs, titles)
    count = max(len(pair.positions) for pair in pairs)
    columns = 1 + count * len(titles)
    width = 2.4 * columns + 0.6
    guide = _guide(pairs, width)
    figure = Figure(
        figsize=(width, 3.5 * len(pairs) + 1 + 0.2 * len(guide)),
        layout='constrained',
    )
    figure.suptitle(title, fontsize=15)
    axes = figure.subplots(len(pairs), columns, squeeze=False)
    for row, pair in enumerate(pairs):
        _draw_positions(axes[row, 0], pair)
        _write_accuracy(axes[row, 0], pair, titles)
        for column in range(1, columns):
            position, flow = divmod(column - 1, len(titles))
            if position < len(pair.positions):
                _draw_heat(axes[row, column], pair, position, flow)
            else:
                axes[row, column].set_axis_off()
            if row == 0:
                axes[row, column].set_title(
                    f'Position {1 + position}, {titles[flow]}', fontsize=11
                )
    axes[0, 0].set_title('Crop 1', fontsize=11)
    _add_colour_bar(figure, axes)
    figure.supxlabel('\n'.join(guide), fontsize=9.5)
    return figure


def _draw_positions(axes: Axes, pair: MatchingPair) -> None:
    """Crop 1 with a green box, as large as a cell, at each position."""
    height, width = pair.crop1.shape[:2]
    axes.imshow(pair.crop1)
    half = np.array(cell_size(pair.centres1)) / 2
    for number, position in enumerate(pair.positions, start=1):
        # A node on the border sees half outside: its box is cut there.
        low = np.maximum(pair.centres1[position] - half, 0)
        high = np.minimum(
            pair.centres1[position] + half, (width - 1, height - 1)
        )
        axes.add_patch(
            Rectangle(
                low,
                *(high - low),
                fill=False,
                edgecolor=GREEN,
                linewidth=3,
                path_effects=[withStroke(linewidth=5, foreground='black')],
            )
        )
        if len(pair.positions) > 1:
            axes.text(
                *(low + high) / 2,
                str(number),
                color=GREEN,
                fontsize=12,
                fontweight='bold',
                ha='center',
                va='center',
                path_effects=[withStroke(linewidth=3, foreground='black')],
            )
    _hide_ticks(axes)


def _write_accuracy(
    axes: Axes, pair: MatchingPair, titles: Sequence[str]
) -> None:
    """Below crop 1: matching accuracy over all of its nodes, and controls."""
    if not pair.describe_accuracy(0):
        return
    lines = ['matching accuracy'] + [
        f'{title}: {pair.describe_accuracy(flow)}'
        for flow, title in enumerate(titles)
    ]
    controls = [pair.controls(flow) for flow in range(len(titles))]
    for name in controls[0]:
        shares = [f'{each[name]:.0%}' for each in controls]
        if len(set(shares)) == 1:  # of all flows alike, as chance is
            shares = shares[:1]
        lines.append(f'{name}: {", ".join(shares)}')
    axes.set_xlabel('\n'.join(lines), fontsize=9)


def _hide_ticks(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _draw_heat(
    axes: Axes, pair: MatchingPair, position: int, flow: int
) -> None:
    """Crop 2 under the heat of one position's flow, and the true place."""
    row = pair.flows[flow][pair.positions[position]]
    heat = heat_map(
        row / (row.max() or 1), pair.centres2, pair.crop2.shape[:2]
    )
    axes.imshow(overlay_heat(pair.crop2, heat))
    _hide_ticks(axes)
    if pair.targets is None:
        return
    target = pair.targets[position]
    if target is None:
        axes.set_xlabel('true place outside crop 2')
        return
    for colour, linewidth in (('black', 5), ('white', 2.5)):
        axes.add_patch(
            Circle(
                target,
                0.3 * min(cell_size(pair.centres2)),
                fill=False,
                edgecolor=colour,
                linewidth=linewidth,
            )
        )
    share, chance = flow_on_target(row, pair.centres2, target)
    axes.set_xlabel(f'on target {share:.0%} (chance {chance:.0%})')


def _add_colour_bar(figure: Figure, axes: Axes | np.ndarray) -> None:
    bar = figure.colorbar(
        ScalarMappable(cmap=HEAT), ax=axes, fraction=0.03, pad=0.02
    )
    bar.set_label('flow / its largest entry')


def _guide(pairs: Sequence[MatchingPair], width: float) -> list[str]:
    """Lines that explain a page of so many inches."""
    known = any(pair.targets is not None for pair in pairs)
    # A page of one position is narrower than these lines are.
    letters = int(12 * width)
    return [
        line
        for text in (_GUIDE, *([_TARGET_GUIDE] if known else []))
        for line in wrap(text, letters)
    ]
