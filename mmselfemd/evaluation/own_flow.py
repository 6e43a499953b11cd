"""Whether the loss's own flow matches anything, from what a run has logged."""

from collections.abc import Mapping, Sequence
from math import isnan, nan

import numpy as np

#: What stands beside ``own_flow``: what knows no content, and reaches so much.
CONTROLS = (
    'own_flow_same_position',
    'own_flow_other_image',
    'own_flow_chance',
)
_WORDS = dict(
    own_flow_same_position='by position alone',
    own_flow_other_image='in another image',
)


def summarise_own_flow(
    logged: Mapping[str, Sequence[float]],
) -> dict[str, float | bool]:
    """Where the flow went towards the end of a run, beside its controls.

    Args:
        logged (Mapping[str, Sequence[float]]): What ``TransportMonitorHook``
            has logged, each figure by its name without ``transport/``: one
            value for each batch that was looked at.

    Returns:
        dict[str, float | bool]: Means over the last third of these batches
        of ``own_flow``, :data:`CONTROLS` and ``matches_per_node``, NaN of
        what was not logged, as another image of batches of one;
        ``own_flow_error``, the standard error over these batches, which are
        of different images; and ``flow_matches``: whether the own flow lies
        above every control by more than two such errors, which takes two
        batches. Empty where no batch was looked at.
    """
    if not logged.get('own_flow'):
        return {}
    last = {
        name: logged[name][-max(len(logged[name]) // 3, 2) :]
        for name in ('own_flow', *CONTROLS, 'matches_per_node')
        if logged.get(name)
    }
    figures = dict.fromkeys((*CONTROLS, 'matches_per_node'), nan) | {
        name: float(np.mean(values)) for name, values in last.items()
    }
    own = last['own_flow']
    error = nan
    if len(own) > 1:
        error = float(np.std(own, ddof=1) / len(own) ** 0.5)
    least = figures['own_flow'] - 2 * error
    return figures | dict(
        own_flow_error=error,
        flow_matches=all(
            least > figures[name] for name in CONTROLS if name in last
        ),
    )


def own_flow_verdict(figures: Mapping[str, float | bool]) -> str:
    """The summary in words.

    Args:
        figures (Mapping[str, float | bool]): From
            :func:`summarise_own_flow`.

    Returns:
        str: Whether the flow matches, with the controls that there were.
    """
    if not figures:
        return "The loss's own flow was not looked at."
    beside = f'{figures["own_flow"]:.2f} of the nodes find their place'
    for name, where in _WORDS.items():
        if not isnan(figures[name]):  # as another image of batches of one
            beside += f', {figures[name]:.2f} {where}'
    if figures['flow_matches']:
        return f"The loss's own flow matches: {beside}."
    return f"The loss's own flow does not match yet: {beside}."
