"""The paper's Fig. 4: the crops that a spatial pyramid compares."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .colours import GREEN
from .saving import check_image


def pyramid_windows(
    grid_size: int, kernel_size: int, stride: int
) -> np.ndarray:
    """Which cells of the map each node of a level is pooled from.

    Args:
        grid_size (int): Cells along a side of the feature map.
        kernel_size (int): Cells along a side of a pooling window.
        stride (int): Cells from one window to the next.

    Returns:
        np.ndarray: First cell of each window along a side, int (side, );
            empty if the windows do not cover the whole map, in which case
            the level is not used.

    Raises:
        ValueError: If the kernel size or the stride is not positive.
    """
    if kernel_size < 1 or stride < 1:
        raise ValueError(
            f'a pool must have a positive kernel size and '
            f'stride, but got ({kernel_size}, {stride})'
        )
    if kernel_size > grid_size or (grid_size - kernel_size) % stride:
        return np.zeros(0, int)
    return np.arange(0, grid_size - kernel_size + 1, stride)


def draw_pyramid_crops(
    view: np.ndarray,
    grid_size: int = 7,
    pools: Sequence[tuple[int, int]] = ((3, 1), (3, 2)),
    title: str = 'Spatial pyramid crops',
) -> Figure:
    """Draw what part of a view each node of the pyramid stands for.

    Above, the view with the windows of each level and one of them marked;
    below, all crops of that level, as in the paper's Fig. 4. As there, the
    view is simply divided into the map's cells; a node's receptive field is
    larger, and its centre up to half a cell nearer to the map's first cell.

    Args:
        view (np.ndarray): The view: RGB uint8 (height, width, 3).
        grid_size (int): Cells along a side of the feature map. Defaults to 7.
        pools (Sequence[tuple[int, int]]): Kernel size and stride, in cells,
            of each average pool. The map itself is always the first level; a
            pool whose windows do not cover the map is left out. Defaults to
            ((3, 1), (3, 2)): 5x5 and 3x3 nodes of a 7x7 map.
        title (str): Defaults to 'Spatial pyramid crops'.

    Returns:
        Figure: A matplotlib figure, one column a level.

    Raises:
        ValueError: If the view is not an image or is smaller than the grid,
            or a pool has no positive kernel size and stride.
    """
    check_image('view', view)
    if not 1 <= grid_size <= min(view.shape[:2]):
        raise ValueError(
            f'grid_size must be between 1 and the side of the '
            f'view {view.shape[:2]}, but got {grid_size}'
        )
    levels = [(1, 1)]
    levels += [
        pool for pool in pools if len(pyramid_windows(grid_size, *pool))
    ]
    counts = [len(pyramid_windows(grid_size, *level)) ** 2 for level in levels]
    figure = Figure(figsize=(4 * len(levels), 9.2), layout='constrained')
    figure.suptitle(
        f'{title}: {" + ".join(map(str, counts))} = {sum(counts)} nodes'
        if len(levels) > 1
        else f'{title}: {counts[0]} nodes',
        fontsize=15,
    )
    axes = figure.subplots(2, len(levels), squeeze=False)
    for column, level in enumerate(levels):
        _draw_windows(axes[0, column], view, grid_size, *level)
        _draw_crops(axes[1, column], view, grid_size, *level)
    figure.supxlabel(
        'Above: the cells that the windows are made of; a dot in the middle '
        'of every window, one window framed in green.\n'
        'Below: the crop of every node, that of the same window in green.',
        fontsize=10,
    )
    return figure


def _draw_windows(
    axes: Axes, view: np.ndarray, grid_size: int, kernel_size: int, stride: int
) -> None:
    starts = pyramid_windows(grid_size, kernel_size, stride)
    height, width = view.shape[:2]
    side = len(starts)
    axes.imshow(view)
    edges = np.unique(np.concatenate([starts, starts + kernel_size]))
    for edge in edges / grid_size:
        axes.axvline(edge * width - 0.5, color='white', linewidth=1)
        axes.axhline(edge * height - 0.5, color='white', linewidth=1)
    middles = (starts + kernel_size / 2) / grid_size
    x, y = np.meshgrid(middles * width - 0.5, middles * height - 0.5)
    axes.scatter(x, y, s=45, color='white', edgecolors='black', zorder=2)
    marked = starts[side // 2] / grid_size
    axes.add_patch(
        Rectangle(
            (marked * width - 0.5, marked * height - 0.5),
            kernel_size / grid_size * width,
            kernel_size / grid_size * height,
            fill=False,
            edgecolor=GREEN,
            linewidth=3,
        )
    )
    source = (
        'the map itself'
        if (kernel_size, stride) == (1, 1)
        else f'{kernel_size}x{kernel_size} pool of stride {stride}'
    )
    axes.set_title(f'{side}x{side} nodes: {source}', fontsize=12)
    axes.set_axis_off()


def _draw_crops(
    axes: Axes, view: np.ndarray, grid_size: int, kernel_size: int, stride: int
) -> None:
    starts = pyramid_windows(grid_size, kernel_size, stride)
    height, width = view.shape[:2]
    side, gap = len(starts), 0.06
    lows = starts / grid_size
    highs = (starts + kernel_size) / grid_size
    for row in range(side):
        for column in range(side):
            crop = view[
                round(lows[row] * height) : round(highs[row] * height),
                round(lows[column] * width) : round(highs[column] * width),
            ]
            place = (column, column + 1 - gap, row + 1 - gap, row)
            axes.imshow(crop, extent=place)
    axes.add_patch(
        Rectangle(
            (side // 2, side // 2),
            1 - gap,
            1 - gap,
            fill=False,
            edgecolor=GREEN,
            linewidth=3,
        )
    )
    axes.set_xlim(0, side - gap)
    axes.set_ylim(side - gap, 0)
    axes.set_aspect(height / width)
    axes.set_axis_off()
