"""Curves of a training run."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

Series = tuple[Sequence[float], Sequence[float]]


def read_scalars(path: str | os.PathLike) -> dict[str, Series]:
    """Read what mmengine's ``LocalVisBackend`` has recorded.

    Args:
        path (str | os.PathLike): A file ``vis_data/scalars.json``: one JSON
            object a line, with ``step`` and any number of scalars. A last
            line that was cut short, as by a killed run, is left out.

    Returns:
        dict[str, tuple[list, list]]: For each scalar its steps and values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line before the last is not a JSON object with
            ``step``.
    """
    lines = Path(path).read_text().splitlines()
    series: dict[str, Series] = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            step = record.pop('step')
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            if number == len(lines):
                break
            raise ValueError(
                f'{path}, line {number}: expected a JSON object with "step", '
                f'but found {line[:60]!r}'
            ) from error
        for name, value in record.items():
            if isinstance(value, (int, float)):
                steps, values = series.setdefault(name, ([], []))
                steps.append(step)
                values.append(value)
    return series


def draw_curves(
    series: Mapping[str, Series],
    title: str = 'Training loss',
    xlabel: str = 'iteration',
    ylabel: str = 'loss',
    window: int | None = None,
) -> Figure:
    """Draw curves: thin as recorded, thick as a moving average.

    Args:
        series (Mapping[str, tuple]): For each curve its label, and its steps
            and values: two sequences of one length, as from
            :func:`read_scalars`. Values that are not finite leave a gap.
        title (str): Defaults to 'Training loss'.
        xlabel (str): Defaults to 'iteration'.
        ylabel (str): Defaults to 'loss'.
        window (int, optional): Number of recorded values that a moving
            average is taken over. Defaults to None: a twentieth of a
            curve's values.

    Returns:
        Figure: A matplotlib figure.

    Raises:
        ValueError: If there is nothing to draw, steps and values differ in
            number, or the window is not positive.
    """
    if not series:
        raise ValueError('series must hold at least one curve')
    if window is not None and window < 1:
        raise ValueError(f'window must be at least 1, but got {window}')
    figure = Figure(figsize=(9, 5), layout='constrained')
    axes = figure.add_subplot()
    labelled = {}
    for number, (name, (steps, values)) in enumerate(series.items()):
        colour = curve_colour(number)
        steps, values = np.asarray(steps, float), np.asarray(values, float)
        if steps.ndim != 1 or steps.shape != values.shape or not len(steps):
            raise ValueError(
                f'series[{name!r}] must be steps and values, two sequences '
                f'of one length that are not empty, but got shapes '
                f'{steps.shape} and {values.shape}'
            )
        smooth = moving_average(values, window or max(1, len(values) // 20))
        last = smooth[np.isfinite(smooth)][-1:]
        label = f'{name} (ends at {last[0]:.3g})' if len(last) else name
        axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.35)
        (line,) = axes.plot(steps, smooth, color=colour, linewidth=2)
        labelled[label] = line
        finite = np.pad(np.isfinite(smooth), 1)
        alone = finite[1:-1] & ~finite[:-2] & ~finite[2:]
        if alone.any():  # no line goes through them
            axes.plot(steps[alone], smooth[alone], 'o', color=colour)
    axes.set_title(title, fontsize=14, loc='left')
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    axes.spines[['top', 'right']].set_visible(False)
    _add_legend(axes, labelled)
    return figure


def curve_colour(number: int) -> Any:
    """A colour of its own for each of twenty curves.

    Args:
        number (int): From 0.

    Returns:
        Any: Matplotlib's own ten, then their light ones.
    """
    number %= 20
    return colormaps['tab20'](2 * (number % 10) + number // 10)


def _add_legend(axes: Axes, lines: Mapping[str, Line2D]) -> None:
    """Name the curves, which may be called as their folders are.

    As a label, matplotlib would leave out what begins with ``_``, and read
    what is between two ``$`` as mathematics.
    """
    legend = axes.legend(lines.values(), [' '] * len(lines), frameon=False)
    for text, name in zip(legend.get_texts(), lines, strict=True):
        text.set(text=name, parse_math=False)


def moving_average(values: np.ndarray, window: int) -> np.ndarray:
    """The mean of the finite values around each place.

    Args:
        values (np.ndarray): Shape (N, ).
        window (int): Places that are averaged, at least 1: half of them
            before and half after, fewer near the ends.

    Returns:
        np.ndarray: Shape (N, ); NaN where no value around is finite.
    """
    finite = np.isfinite(values)
    sums = np.concatenate([[0], np.cumsum(np.where(finite, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    places = np.arange(len(values))
    low = np.maximum(places - (window - 1) // 2, 0)
    high = np.minimum(places + window // 2 + 1, len(values))
    count = counts[high] - counts[low]
    means = (sums[high] - sums[low]) / np.maximum(count, 1)
    return np.where(count > 0, means, np.nan)
