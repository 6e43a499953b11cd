"""A montage, and how much each of its labels counts at each position."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .colours import VIEW_COLOURS
from .saving import check_image

_PLACES = ('upper left', 'upper right', 'lower left', 'lower right')
_MOST_NUMBERS = 10  # positions a side; of more, numbers could not be read
_GUIDE = (
    'Left: the montage as the network gets it, before normalisation. Right: '
    'what the label\n'
    'of each region counts at each position of the last map; at a position '
    'the four make 1.'
)


def draw_montage(
    montage: np.ndarray,
    regions: Sequence[Sequence[int]],
    names: Sequence[str],
    weights: np.ndarray,
    title: str = '',
) -> Figure:
    """Draw a montage with its regions, and the weights of its labels.

    Args:
        montage (np.ndarray): RGB uint8 (height, width, 3).
        regions (Sequence[Sequence[int]]): Left, top, width and height of the
            upper left, upper right, lower left and lower right region.
        names (Sequence[str]): The class of each.
        weights (np.ndarray): Weight of each region's label at each position,
            in [0, 1], (4, h, w).
        title (str): Title of the page. Defaults to ''.

    Returns:
        Figure: The montage, then a map of weights for each region.

    Raises:
        ValueError: If there are not four of each, or the montage is not an
            RGB image.
    """
    check_image('montage', montage)
    if not len(regions) == len(names) == len(weights) == len(_PLACES):
        raise ValueError(
            'regions, names and weights must be four each, but got '
            f'{len(regions)}, {len(names)} and {len(weights)}'
        )
    figure = Figure(figsize=(11, 6.2), layout='constrained')
    figure.suptitle(title, fontsize=12, parse_math=False)  # has file names
    places = [['montage', *_PLACES[:2]], ['montage', *_PLACES[2:]]]
    axes = figure.subplot_mosaic(places, width_ratios=[2, 1, 1])
    _draw_regions(axes['montage'], montage, regions, names)
    for place, name, values, colour in zip(
        _PLACES, names, weights, VIEW_COLOURS, strict=False
    ):
        _draw_weights(axes[place], f'{place}: {name}', values, colour)
    figure.supxlabel(_GUIDE, fontsize=9)
    return figure


def _draw_regions(
    axes: Axes,
    montage: np.ndarray,
    regions: Sequence[Sequence[int]],
    names: Sequence[str],
) -> None:
    axes.imshow(montage, interpolation='nearest')
    height, width = montage.shape[:2]
    axes.set_title(f'Montage, {width} x {height}', fontsize=11)
    for region, name, colour in zip(
        regions, names, VIEW_COLOURS, strict=False
    ):
        left, top, region_width, region_height = region
        for edge, line in (('black', 4.5), (colour, 2.2)):
            axes.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    region_width,
                    region_height,
                    fill=False,
                    edgecolor=edge,
                    linewidth=line,
                )
            )
        axes.annotate(
            name,
            (left, top),
            xytext=(5, -5),
            textcoords='offset points',
            ha='left',
            va='top',
            fontsize=11,
            fontweight='bold',
            color=colour,
            parse_math=False,
            path_effects=[withStroke(linewidth=3, foreground='black')],
        )
    axes.set_axis_off()


def _draw_weights(
    axes: Axes, title: str, values: np.ndarray, colour: str
) -> None:
    axes.imshow(values, vmin=0, vmax=1, cmap='gray')
    axes.set_title(title, fontsize=10, parse_math=False)
    if max(values.shape) <= _MOST_NUMBERS:
        for (row, column), value in np.ndenumerate(values):
            axes.text(
                column,
                row,
                f'{value:.2f}'.removeprefix('0'),
                ha='center',
                va='center',
                fontsize=8,
                color='black' if value > 0.5 else 'white',
            )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(edgecolor=colour, linewidth=3)
