"""Values of nodes as heat on a picture, where the nodes lie.

mmengine's ``Visualizer.draw_featmap`` stretches a map over the whole image;
here heat lies at the centres of the nodes' receptive fields, which on a
strided network are not the middles of equal cells.
"""

import numpy as np
from matplotlib import colormaps

# Lightness rises with the value, for any colour vision and in grey.
HEAT = colormaps['inferno']


def check_centres(name: str, centres: np.ndarray) -> np.ndarray:
    """Centres as floats, if they form a grid; see :func:`heat_map`.

    Args:
        name (str): What the caller calls them.
        centres (np.ndarray): Expected: (N, 2), x and y in pixels.

    Returns:
        np.ndarray: float (N, 2).

    Raises:
        ValueError: If they are of another shape or form no grid.
    """
    centres = np.asarray(centres, float)
    if centres.ndim != 2 or centres.shape[1] != 2 or not len(centres):
        raise ValueError(
            f'{name} must be of shape (nodes, 2), x and y in '
            f'pixels, but got {centres.shape}'
        )
    columns, rows = grid_lines(centres)
    if len(columns) * len(rows) != len(centres):
        raise ValueError(
            f'{name} must form a grid, but {len(centres)} nodes lie in '
            f'{len(columns)} columns and {len(rows)} rows'
        )
    return centres


def grid_lines(centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending x of the columns and y of the rows, to 0.001 pixel."""
    return np.unique(centres[:, 0].round(3)), np.unique(centres[:, 1].round(3))


def cell_size(centres: np.ndarray) -> tuple[float, float]:
    """Width and height of a cell: the distance between neighbours."""
    steps = [np.diff(lines) for lines in grid_lines(centres)]
    known = [step.min() for step in steps if len(step)] or [32.0]
    return tuple(
        float(step.min()) if len(step) else float(known[0]) for step in steps
    )


def _blend(lines: np.ndarray, length: int) -> np.ndarray:
    """Weights (length, lines) that interpolate between grid lines.

    Eased between lines, so that the result is smooth and has its extremes at
    the lines; constant beyond the first and the last.
    """
    pixels = np.arange(length)
    last = max(len(lines) - 2, 0)
    lower = np.clip(np.searchsorted(lines, pixels, 'right') - 1, 0, last)
    upper = np.minimum(lower + 1, len(lines) - 1)
    span = np.maximum(lines[upper] - lines[lower], 1e-6)
    share = np.clip((pixels - lines[lower]) / span, 0, 1)
    share = share**2 * (3 - 2 * share)
    weights = np.zeros((length, len(lines)))
    weights[pixels, lower] += 1 - share
    weights[pixels, upper] += share
    return weights


def heat_map(
    values: np.ndarray, centres: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """Spread values of nodes over the pixels of a crop.

    Args:
        values (np.ndarray): One value a node, (N, ).
        centres (np.ndarray): Where the nodes lie, (N, 2): x and y in pixels.
            They form a grid, in any order.
        shape (tuple[int, int]): Height and width of the crop in pixels.

    Returns:
        np.ndarray: (height, width); at a centre it is its node's value,
            between centres it changes smoothly, and beyond the outermost
            ones it stays the same.

    Raises:
        ValueError: If the shapes do not fit or the centres form no grid.
    """
    centres = check_centres('centres', centres)
    values = np.asarray(values, float)
    if values.shape != (len(centres),):
        raise ValueError(
            f'values must be of shape ({len(centres)}, ), one '
            f'a centre, but got {values.shape}'
        )
    columns, rows = grid_lines(centres)
    grid = np.empty((len(rows), len(columns)))
    grid[
        np.searchsorted(rows, centres[:, 1].round(3)),
        np.searchsorted(columns, centres[:, 0].round(3)),
    ] = values
    return _blend(rows, shape[0]) @ grid @ _blend(columns, shape[1]).T


def overlay_heat(crop: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a heat map over a crop; little heat lets the crop show.

    Args:
        crop (np.ndarray): RGB uint8 (height, width, 3).
        heat (np.ndarray): (height, width), in [0, 1].

    Returns:
        np.ndarray: RGB uint8 (height, width, 3).
    """
    alpha = (0.15 + 0.55 * heat)[..., None]
    # Greyed, so that the colours seen are those of the heat.
    grey = crop.mean(axis=2, keepdims=True) * 0.7 + crop * 0.3
    mixed = (1 - alpha) * grey + alpha * 255 * HEAT(heat)[..., :3]
    return mixed.round().astype(np.uint8)


def flow_on_target(
    row: np.ndarray, centres: np.ndarray, target: tuple[float, float]
) -> tuple[float, float]:
    """How much of a position's flow arrives where it should.

    Args:
        row (np.ndarray): Flow out of the position, (N, ).
        centres (np.ndarray): Where the nodes of crop 2 lie, (N, 2).
        target (tuple[float, float]): The true place, x and y in pixels.

    Returns:
        tuple[float, float]: Share of the flow that goes to nodes within one
            cell of the target along x and y, and the share of such nodes.
    """
    reach = np.array(cell_size(centres)) + 1e-3
    near = (np.abs(centres - target) <= reach).all(axis=1)
    total = row.sum()
    return float(row[near].sum() / total) if total else 0.0, float(near.mean())
