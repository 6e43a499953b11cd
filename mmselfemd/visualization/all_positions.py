"""The flow of every node of a crop, as a page of small heat maps."""

from collections.abc import Sequence

import mmcv
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .colours import GREEN, MATCH_LABELS, MATCH_STYLES
from .flow_lines import check_pairs, headline
from .heat import grid_lines, heat_map, overlay_heat
from .matched_crops import MatchingPair

_TITLE = 'Where the flow of every node goes'
_GUIDE = (
    'Each small picture is crop 2 under the heat of one node of crop 1, laid '
    'out as the nodes lie in crop 1; brightest is the largest entry of that '
    "node's flow.\nWhite ring: the true place, where crop 2 shows it. Frame: "
    'whether the largest entry is right.'
)
_SIDE, _GAP = 96, 8  # pixels of a small picture, and between two
_FRAME_WIDTHS = dict(right=3.0, wrong=1.2, unknown=1.2)


def draw_all_positions(
    pair: MatchingPair,
    titles: Sequence[str] = ('untrained', 'trained'),
    title: str = _TITLE,
) -> Figure:
    """Draw the heat of all nodes of crop 1 at once.

    Args:
        pair (MatchingPair): The crops and the flows; the positions must be
            all nodes of crop 1 in order, their targets are marked.
        titles (Sequence[str]): What the flows come from. Defaults to
            ('untrained', 'trained').
        title (str): Title of the page. Defaults to what it shows.

    Returns:
        Figure: The two crops with their nodes, then for each flow a grid of
            small heat maps.

    Raises:
        ValueError: If the number of flows differs from that of the titles,
            or the positions are not all nodes.
    """
    check_pairs([pair], titles)
    if list(pair.positions) != list(range(len(pair.centres1))):
        raise ValueError(
            f'positions must be all {len(pair.centres1)} nodes of crop 1 in '
            f'order, but got {list(pair.positions)}'
        )
    figure = Figure(
        figsize=(2.8 + 6.2 * len(titles), 7.6), layout='constrained'
    )
    figure.suptitle(title, fontsize=14)
    names = [f'flow{number}' for number in range(len(titles))]
    axes = figure.subplot_mosaic(
        [['crop1', *names], ['crop2', *names]],
        width_ratios=[2.6] + [6.2] * len(titles),
    )
    for number in (1, 2):
        _draw_crop(axes[f'crop{number}'], pair, number)
    for number, name in enumerate(names):
        _draw_grid(axes[name], pair, number)
        axes[name].set_title(
            headline(pair, number, titles[number]), fontsize=12
        )
    _add_legend(figure)
    return figure


def _draw_crop(axes: Axes, pair: MatchingPair, number: int) -> None:
    """A crop with a dot at each node."""
    crop, centres = (
        (pair.crop1, pair.centres1)
        if number == 1
        else (pair.crop2, pair.centres2)
    )
    axes.imshow(crop)
    axes.scatter(
        *centres.T, s=16, color=GREEN, edgecolors='black', linewidths=0.7
    )
    axes.set_title(f'Crop {number} and its nodes', fontsize=11)
    axes.set_axis_off()


def _draw_grid(axes: Axes, pair: MatchingPair, flow: int) -> None:
    """One small picture a node, where the node lies in the grid."""
    columns, rows = (
        np.searchsorted(lines, pair.centres1[:, axis].round(3))
        for axis, lines in enumerate(grid_lines(pair.centres1))
    )
    step = _SIDE + _GAP
    page = np.full(
        ((rows.max() + 1) * step, (columns.max() + 1) * step, 3),
        255,
        np.uint8,
    )
    verdicts = pair.verdicts(flow)
    for node, (row, column) in enumerate(zip(rows, columns, strict=True)):
        top, left = row * step, column * step
        page[top : top + _SIDE, left : left + _SIDE] = _small_heat(
            pair, flow, node
        )
        axes.add_patch(
            Rectangle(
                (left - 2, top - 2),
                _SIDE + 3,
                _SIDE + 3,
                fill=False,
                **_frame(verdicts[node]),
            )
        )
    axes.imshow(page)
    _mark_targets(axes, pair, rows * step, columns * step)
    axes.set_xlim(-_GAP, page.shape[1])
    axes.set_ylim(page.shape[0], -_GAP)
    axes.set_axis_off()


def _frame(verdict: str) -> dict:
    """Style of the frame of a small picture."""
    return dict(
        edgecolor=MATCH_STYLES[verdict][0],
        linewidth=_FRAME_WIDTHS[verdict],
        linestyle='dotted' if verdict == 'unknown' else 'solid',
    )


def _small_heat(pair: MatchingPair, flow: int, node: int) -> np.ndarray:
    row = pair.flows[flow][node]
    heat = heat_map(
        row / (row.max() or 1), pair.centres2, pair.crop2.shape[:2]
    )
    return mmcv.imresize(
        overlay_heat(pair.crop2, heat), (_SIDE, _SIDE), interpolation='area'
    )


def _mark_targets(
    axes: Axes, pair: MatchingPair, tops: np.ndarray, lefts: np.ndarray
) -> None:
    """A white ring at each true place that crop 2 shows."""
    height, width = pair.crop2.shape[:2]
    places = [
        (
            left + (target[0] + 0.5) / width * _SIDE - 0.5,
            top + (target[1] + 0.5) / height * _SIDE - 0.5,
        )
        for target, top, left in zip(
            pair.targets or [], tops, lefts, strict=pair.targets is not None
        )
        if target is not None
    ]
    if places:
        for colour, width in (('black', 2.6), ('white', 1.2)):
            axes.scatter(
                *zip(*places, strict=True),
                s=26,
                facecolors='none',
                edgecolors=colour,
                linewidths=width,
            )


def _add_legend(figure: Figure) -> None:
    figure.legend(
        handles=[
            Rectangle((0, 0), 1, 1, fill=False, label=label, **_frame(word))
            for word, label in MATCH_LABELS.items()
        ],
        title=_GUIDE,
        title_fontsize=9,
        loc='outside lower center',
        ncols=len(MATCH_STYLES),
        frameon=False,
        fontsize=9,
    )
