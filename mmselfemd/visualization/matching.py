"""The paper's Fig. 5: where the flow of a position goes in the other crop."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke

from .heat import (
    HEAT,
    cell_size,
    check_centres,
    flow_on_target,
    heat_map,
    overlay_heat,
)
from .saving import check_image

GREEN = '#39ff14'

_TITLE = 'Optimal matching: where the flow of a position goes'
_GUIDE = (
    'Green box: the chosen position in crop 1. Heat: where its flow '
    'goes in crop 2, each picture by its own largest entry.'
)
_TARGET_GUIDE = (
    'White ring: the true place. "On target": share of the flow within one '
    'cell of it; chance: the share of nodes there.'
)


@dataclass
class MatchingPair:
    """Two crops of an image and flows between their nodes.

    Attributes:
        crop1 (np.ndarray): RGB uint8 (height, width, 3), as the network saw
            it but without colour jitter.
        crop2 (np.ndarray): The other crop, likewise.
        flows (Sequence[np.ndarray]): Flows to compare, such as those of the
            untrained and of the trained network: (N1, N2) each, not negative.
        positions (Sequence[int]): Nodes of crop 1 whose flow is shown.
        centres1 (np.ndarray): Centres of the nodes' receptive fields in
            crop 1, float (N1, 2): x and y in pixels, (0, 0) being the centre
            of the first pixel. They form a grid, in any order, so those of a
            flipped crop may run from right to left.
        centres2 (np.ndarray): Those in crop 2: (N2, 2).
        targets (Sequence[tuple[float, float] | None], optional): For each
            position the place in crop 2 that shows the same, x and y in
            pixels, or None where it lies outside. Defaults to None: unknown.
    """

    crop1: np.ndarray
    crop2: np.ndarray
    flows: Sequence[np.ndarray]
    positions: Sequence[int]
    centres1: np.ndarray
    centres2: np.ndarray
    targets: Sequence[tuple[float, float] | None] | None = None

    def __post_init__(self) -> None:
        check_image('crop1', self.crop1)
        check_image('crop2', self.crop2)
        self.centres1 = check_centres('centres1', self.centres1)
        self.centres2 = check_centres('centres2', self.centres2)
        shape = (len(self.centres1), len(self.centres2))
        self.flows = [_checked_flow(flow, shape) for flow in self.flows]
        for position in self.positions:
            if not 0 <= position < shape[0]:
                raise ValueError(
                    f'positions must be nodes of crop 1, from 0 '
                    f'to {shape[0] - 1}, but got {position}'
                )
        if self.targets is not None and len(self.targets) != len(
            self.positions
        ):
            raise ValueError(
                f'targets must name a place, or None, for each of the '
                f'{len(self.positions)} positions, but has '
                f'{len(self.targets)} entries'
            )


def _checked_flow(flow: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    flow = np.asarray(flow, float)
    if flow.shape != shape:
        raise ValueError(
            f'flow must be of shape {shape}, one entry for each '
            f'pair of centres, but got {flow.shape}'
        )
    if not (np.isfinite(flow).all() and (flow >= 0).all()):
        raise ValueError(
            'flow must be finite and not negative, but its '
            f'entries range from {flow.min()} to {flow.max()}'
        )
    return flow


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
    _add_guide(figure, [pair])
    return figure


def draw_matching_figure(
    pairs: Sequence[MatchingPair],
    titles: Sequence[str] = ('untrained', 'trained'),
    title: str = _TITLE,
) -> Figure:
    """Draw a page of matchings: one row a pair, networks side by side.

    Args:
        pairs (Sequence[MatchingPair]): The rows, each with as many flows as
            there are titles and with the same number of positions.
        titles (Sequence[str]): What the flows come from. Defaults to
            ('untrained', 'trained').
        title (str): Title of the page. Defaults to what it shows.

    Returns:
        Figure: For each pair crop 1 with its positions in green boxes, then
            for each position crop 2 with one heat map a title.

    Raises:
        ValueError: If there is no pair, or numbers of flows or positions
            differ.
    """
    if not pairs:
        raise ValueError('pairs must hold at least one pair of crops')
    count = len(pairs[0].positions)
    for number, pair in enumerate(pairs):
        if len(pair.flows) != len(titles) or len(pair.positions) != count:
            raise ValueError(
                f'pairs[{number}] has {len(pair.flows)} flows and '
                f'{len(pair.positions)} positions, expected {len(titles)} '
                f'(one a title) and {count} (as in the first pair)'
            )
    columns = 1 + count * len(titles)
    figure = Figure(
        figsize=(2.4 * columns + 0.6, 2.5 * len(pairs) + 1.1),
        layout='constrained',
    )
    figure.suptitle(title, fontsize=15)
    axes = figure.subplots(len(pairs), columns, squeeze=False)
    for row, pair in enumerate(pairs):
        _draw_positions(axes[row, 0], pair)
        for column in range(1, columns):
            position, flow = divmod(column - 1, len(titles))
            _draw_heat(axes[row, column], pair, position, flow)
            if row == 0:
                axes[row, column].set_title(
                    f'Position {1 + position}, {titles[flow]}', fontsize=11
                )
    axes[0, 0].set_title('Crop 1', fontsize=11)
    _add_colour_bar(figure, axes)
    _add_guide(figure, pairs)
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
    axes.set_axis_off()


def _draw_heat(
    axes: Axes, pair: MatchingPair, position: int, flow: int
) -> None:
    """Crop 2 under the heat of one position's flow, and the true place."""
    row = pair.flows[flow][pair.positions[position]]
    heat = heat_map(
        row / (row.max() or 1), pair.centres2, pair.crop2.shape[:2]
    )
    axes.imshow(overlay_heat(pair.crop2, heat))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
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


def _add_guide(figure: Figure, pairs: Sequence[MatchingPair]) -> None:
    known = any(pair.targets is not None for pair in pairs)
    figure.supxlabel(
        _GUIDE + ('\n' + _TARGET_GUIDE if known else ''), fontsize=9.5
    )
