"""What the pipeline cuts from an image, and what the network gets of it."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from .colours import VIEW_COLOURS
from .saving import check_image

_DASHES = ('solid', 'dashed', 'dotted', 'dashdot')
_GUIDE = (
    'Left: the image and the box of each view. Right: the views as the '
    'network gets them, before normalisation, at one scale; each in the '
    'colour of its box.'
)


def draw_views(
    image: np.ndarray,
    views: Sequence[Mapping],
    crops: Sequence[np.ndarray],
    title: str = '',
) -> Figure:
    """Draw an image with the boxes of its views, and the views beside it.

    Args:
        image (np.ndarray): The image, RGB uint8 (height, width, 3).
        views (Sequence[Mapping]): Geometry of each view, as ``CutViews``
            gives it: ``box``, ``flip``, ``size``.
        crops (Sequence[np.ndarray]): Each view after all augmentation, RGB
            uint8 (size, size, 3).
        title (str): Title of the page. Defaults to ''.

    Returns:
        Figure: The image, then one picture a view.

    Raises:
        ValueError: If there is no view, numbers differ, or one of them is
            not an RGB image.
    """
    check_image('image', image)
    if not views or len(views) != len(crops):
        raise ValueError(
            'views and crops must be of one length, at least 1, but got '
            f'{len(views)} and {len(crops)}'
        )
    for number, crop in enumerate(crops):
        check_image(f'crops[{number}]', crop)
    height = 3.4
    width = height * min(max(image.shape[1] / image.shape[0], 0.5), 2.5)
    figure = Figure(
        figsize=(width + 0.85 * height * len(crops), height + 1.1),
        layout='constrained',
    )
    figure.suptitle(title, fontsize=12, parse_math=False)  # has file names
    source, *rest = figure.subplots(
        1,
        1 + len(crops),
        width_ratios=[width] + [0.85 * height] * len(crops),
    )
    _draw_boxes(source, image, views)
    largest = max(max(crop.shape[:2]) for crop in crops)
    for number, (axes, view, crop) in enumerate(
        zip(rest, views, crops, strict=True)
    ):
        _draw_view(axes, number, view, crop, largest)
    figure.supxlabel(_GUIDE, fontsize=9)
    return figure


def _style(number: int) -> tuple[str, str]:
    """Colour and dashes of a view."""
    return (
        VIEW_COLOURS[number % len(VIEW_COLOURS)],
        _DASHES[number % len(_DASHES)],
    )


def _draw_boxes(
    axes: Axes, image: np.ndarray, views: Sequence[Mapping]
) -> None:
    axes.imshow(image)
    axes.set_title(f'Image, {image.shape[1]} x {image.shape[0]}', fontsize=11)
    for number, view in enumerate(views):
        colour, dashes = _style(number)
        left, top, width, height = view['box']
        for edge, linewidth, style in (
            ('black', 4.5, 'solid'),
            (colour, 2.2, dashes),
        ):
            axes.add_patch(
                Rectangle(
                    (left - 0.5, top - 0.5),
                    width,
                    height,
                    fill=False,
                    edgecolor=edge,
                    linewidth=linewidth,
                    linestyle=style,
                )
            )
        # Labels of boxes with one corner in common do not hide each other.
        axes.annotate(
            str(number + 1),
            (left, top),
            xytext=(6 + 18 * number, -6),
            textcoords='offset points',
            ha='left',
            va='top',
            fontsize=13,
            fontweight='bold',
            color=colour,
            path_effects=[withStroke(linewidth=3, foreground='black')],
        )
    axes.set_axis_off()


def _draw_view(
    axes: Axes, number: int, view: Mapping, crop: np.ndarray, largest: int
) -> None:
    """A view, as large beside the others as its pixels are many."""
    height, width = crop.shape[:2]
    colour, dashes = _style(number)
    axes.imshow(crop, interpolation='nearest')
    axes.set_xlim(-4, largest + 4)
    axes.set_ylim(largest + 4, -4)
    for edge, linewidth, style in (
        ('black', 4.5, 'solid'),
        (colour, 2.2, dashes),
    ):
        axes.add_patch(
            Rectangle(
                (-1.5, -1.5),
                width + 2,
                height + 2,
                fill=False,
                edgecolor=edge,
                linewidth=linewidth,
                linestyle=style,
            )
        )
    flip = 'flipped' if view['flip'] else 'not flipped'
    axes.set_title(
        f'View {number + 1}: {width} x {height}, {flip}', fontsize=11
    )
    axes.set_axis_off()
