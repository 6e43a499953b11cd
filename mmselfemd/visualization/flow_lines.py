"""Flow as lines between two crops: where each node's largest share goes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .colours import MATCH_LABELS, MATCH_STYLES
from .matched_crops import MatchingPair

_TITLE = 'Where the largest flow of each node goes'
_GUIDE = (
    'Left: crop 1, right: crop 2, both paled. A dot is a node, at the centre '
    'of its receptive field. From each node of crop 1 a line leads to the '
    'node of crop 2\nthat gets most of its flow; the wider the line, the '
    'larger that share. Matching accuracy: blue lines over blue and orange '
    'ones.'
)
_GAP = 24  # pixels between the crops
# How much lower crop 2 lies, as a share of its height: else the lines between
# equal rows, of an unmoved image for instance, would hide each other.
_DROP = 0.25


def draw_flow_lines(
    pairs: Sequence[MatchingPair],
    titles: Sequence[str] = ('untrained', 'trained'),
    title: str = _TITLE,
) -> Figure:
    """Draw the flow of every node as a line to where most of it goes.

    Args:
        pairs (Sequence[MatchingPair]): The rows, each with as many flows as
            there are titles. Their positions are not used.
        titles (Sequence[str]): What the flows come from, one a column.
            Defaults to ('untrained', 'trained').
        title (str): Title of the page. Defaults to what it shows.

    Returns:
        Figure: For each pair and each flow the two crops side by side and
            the lines between them, with the matching accuracy.

    Raises:
        ValueError: If there is no pair, or a number of flows differs from
            that of the titles.
    """
    check_pairs(pairs, titles)
    figure = Figure(
        figsize=(6.2 * len(titles), 3.6 * len(pairs) + 1.3),
        layout='constrained',
    )
    figure.suptitle(title, fontsize=14)
    axes = figure.subplots(len(pairs), len(titles), squeeze=False)
    for row, pair in enumerate(pairs):
        for column, name in enumerate(titles):
            _draw_lines(axes[row, column], pair, column)
            axes[row, column].set_title(
                headline(pair, column, name), fontsize=11
            )
    _add_legend(figure)
    return figure


def check_pairs(pairs: Sequence[MatchingPair], titles: Sequence[str]) -> None:
    """Raise unless there are pairs with one flow a title.

    Args:
        pairs (Sequence[MatchingPair]): What is to be drawn.
        titles (Sequence[str]): What their flows come from.

    Raises:
        ValueError: If there is no pair, or a number differs.
    """
    if not pairs:
        raise ValueError('pairs must hold at least one pair of crops')
    for number, pair in enumerate(pairs):
        if len(pair.flows) != len(titles):
            raise ValueError(
                f'pairs[{number}] has {len(pair.flows)} flows, expected '
                f'{len(titles)}, one a title'
            )


def headline(pair: MatchingPair, flow: int, title: str) -> str:
    """What stands above the picture of a flow.

    Args:
        pair (MatchingPair): What is drawn.
        flow (int): Which of its flows.
        title (str): What it comes from.

    Returns:
        str: Its title and accuracy; below them the controls.
    """
    accuracy = pair.describe_accuracy(flow)
    first = ': '.join(part for part in (title, accuracy) if part)
    controls = ', '.join(
        f'{name} {share:.0%}' for name, share in pair.controls(flow).items()
    )
    return '\n'.join(filter(None, (first, controls)))


def line_width(share: float | np.ndarray) -> float | np.ndarray:
    """Width of a line.

    Args:
        share (float | np.ndarray): Share of a node's flow, in [0, 1].

    Returns:
        float | np.ndarray: Points.
    """
    return 0.7 + 3.5 * share


def _draw_lines(axes: Axes, pair: MatchingPair, flow: int) -> None:
    """Both crops, and one line a node of crop 1."""
    offset = pair.crop1.shape[1] + _GAP, _DROP * pair.crop2.shape[0]
    _show(axes, pair.crop1, (0, 0))
    _show(axes, pair.crop2, offset)
    height = max(pair.crop1.shape[0], offset[1] + pair.crop2.shape[0])
    axes.set_xlim(-12, offset[0] + pair.crop2.shape[1] + 12)
    axes.set_ylim(height + 12, -12)
    axes.set_axis_off()

    rows = pair.flows[flow]
    ends = pair.centres2[rows.argmax(1)] + offset
    shares = rows.max(1) / np.maximum(rows.sum(1), np.finfo(float).tiny)
    verdicts = pair.verdicts(flow)
    # What is judged lies above what is not.
    for level, word in enumerate(('unknown', 'wrong', 'right')):
        colour, dashes = MATCH_STYLES[word]
        chosen = (verdicts == word) & (shares > 0)
        lines = LineCollection(
            np.stack([pair.centres1[chosen], ends[chosen]], axis=1),
            linewidths=line_width(shares[chosen]),
            colors=colour,
            linestyles=dashes,
            label=word,
            zorder=2 + level,
        )
        axes.add_collection(lines, autolim=False)
        for places in (pair.centres1[verdicts == word], ends[chosen]):
            axes.scatter(
                *places.T,
                s=14,
                color=colour,
                edgecolors='white',
                linewidths=0.5,
                zorder=6 + level,
            )


def _show(axes: Axes, crop: np.ndarray, corner: tuple[float, float]) -> None:
    """A crop, paled so that lines stand out."""
    height, width = crop.shape[:2]
    left, top = corner[0] - 0.5, corner[1] - 0.5
    axes.imshow(
        (255 - (255 - crop.astype(float)) * 0.6).astype(np.uint8),
        extent=(left, left + width, top + height, top),
    )


def _add_legend(figure: Figure) -> None:
    handles = [
        Line2D(
            [], [], color=colour, linestyle=dashes, linewidth=2, label=label
        )
        for (colour, dashes), label in zip(
            MATCH_STYLES.values(), MATCH_LABELS.values(), strict=True
        )
    ]
    handles += [
        Line2D(
            [],
            [],
            color='black',
            linewidth=line_width(share),
            label=f'{share:.0%} of the flow',
        )
        for share in (0.05, 0.5)
    ]
    figure.legend(
        handles=handles,
        title=_GUIDE,
        title_fontsize=9,
        loc='outside lower center',
        ncols=len(handles),
        frameon=False,
        fontsize=9,
    )
