"""A difference between two detectors in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .difference import Difference

# Below it a detector has hardly begun; the paper's are at 0.3 to 0.6.
_LITTLE = 0.02


def in_words(difference: Difference, first: str, second: str) -> str:
    """The answer of :meth:`Difference.sentence`.

    Args:
        difference (Difference): What was found.
        first (str): What the first is called.
        second (str): What the second is called.

    Returns:
        str: One sentence, and a warning where neither has learnt anything.
    """
    answer = _answer(difference, first, second)
    if difference.best is None or difference.best >= _LITTLE:
        return answer
    return (
        f'{answer} Neither finds much yet, at best '
        f'{100 * difference.best:.1f} {difference.metric}: that says nothing '
        'of detectors that are trained to their end.'
    )


def _answer(found: Difference, first: str, second: str) -> str:
    if found.mean == found.low == found.high == 0:
        return (
            f'No difference at all between {first} and {second}: their '
            f'{found.metric} is the same with each of {_seeds(found)}, '
            f'whichever of the {found.num_images} images are drawn. They are '
            'the same results, or neither finds anything.'
        )
    amount = f'{100 * abs(found.mean):.1f} {found.metric}'
    side = 'above' if found.mean >= 0 else 'below'
    if found.num_with_objects == 1:
        return (
            f'{first} is {amount} {side} {second}, but all that is to be '
            'found is in one image, which shows nothing about others.'
        )
    if found.num_seeds < 2:
        return (
            f'{first} is {amount} {side} {second} (95 % interval '
            f'{_amounts(found)} over {found.num_images} images), but one seed '
            'is too few to say that it is not chance: train at least 3.'
        )
    if not found.is_clear:
        return _open(found, first, second)
    helps = 'helps' if found.mean > 0 else 'hurts'
    return (
        f'{first} {helps} by {amount} compared with {second} (95 % interval '
        f'{_amounts(found)}, {_seeds(found)}).'
    )


def _open(found: Difference, first: str, second: str) -> str:
    """What the seeds do not show, and what more of them would."""
    more = max(5, found.num_seeds + 2)
    shown = found.detectable(more)
    would_show = (
        f'{more} seeds would show {100 * shown:.1f} {found.metric}'
        if shown < 1
        else f'{more} seeds would show none on images so few'
    )
    return (
        f'No difference between {first} and {second} that {_seeds(found)} and '
        f'{found.num_images} images can show ({100 * found.mean:+.1f} '
        f'{found.metric}, 95 % interval {_points(found.low, found.high)}); '
        f'{would_show}.'
    )


def _seeds(found: Difference) -> str:
    return f'{found.num_seeds} seed{"s" if found.num_seeds > 1 else ""}'


def _amounts(found: Difference) -> str:
    """The interval of the amount: by how much below, if it is below."""
    ends = (found.low, found.high)
    if found.mean < 0:
        ends = (-found.high, -found.low)
    return _points(*ends)


def _points(low: float, high: float) -> str:
    low, high = max(low, -1.0), min(high, 1.0)  # AP differs by no more
    return f'{100 * low:.1f} to {100 * high:.1f}'
