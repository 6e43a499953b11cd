"""A look at photographs before anything is trained on them."""

import ast
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mmselfemd.datasets.pictures.folder import FolderReport, check_images
from mmselfemd.datasets.pictures.measuring import written
from mmselfemd.errors import UserError

_MOST_WORKERS = 8


class Photographs(NamedTuple):
    """What is to be known of photographs.

    Attributes:
        num_images (int): Those that can be read.
        value_range (tuple[float, float], optional): What becomes black and
            white, see ``docs/input.md``.
    """

    num_images: int
    value_range: tuple[float, float] | None


def look_at(
    folder: str,
    value_range: Sequence[float] | None,
    bands: Sequence[int] | None,
    report: Callable[[str], None],
    paths: Sequence[str] | None = None,
) -> Photographs:
    """Read all photographs once.

    Args:
        folder (str): Their folder.
        value_range (Sequence[float], optional): Given by the user. None: it
            is measured where it is needed.
        bands (Sequence[int], optional): Given by the user.
        report (Callable): Gets what is found, line by line.
        paths (Sequence[str], optional): Those that are labelled, below the
            folder, each of which has to be whole. Defaults to None: all
            images; a few may be broken.

    Returns:
        Photographs: What was found.

    Raises:
        UserError: If they cannot be trained on.
    """
    workers = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    found = check_images(
        folder, bands, workers if workers > 1 else 0, paths=paths
    )
    for line in found.lines:
        report(line)
    _raise_faults(folder, found, are_labelled=paths is not None)
    if value_range is None and found.value_range is not None:
        value_range = ast.literal_eval(written(found.value_range))
        report(f'value_range: {value_range}, as measured')
    return Photographs(
        found.num_images - len(found.broken),
        None if value_range is None else tuple(value_range),
    )


def _raise_faults(
    folder: str, found: FolderReport, are_labelled: bool
) -> None:
    if found.needs_bands:
        raise UserError(
            f'{folder}: the bands of its images are no colours, or not those '
            'of --bands, see above. Say which become red, green and blue, '
            'e.g. --bands 0 1 2, or which one becomes grey, e.g. --bands 3'
        )
    if found.has_many_broken or (are_labelled and found.broken):
        named = ', '.join(found.broken[:3])
        more = ', ...' if len(found.broken) > 3 else ''
        raise UserError(
            f'{folder}: {len(found.broken)} of {found.num_images} images '
            f'cannot be read ({named}{more}), see above why. '
            + (
                'Mend them, or take them out of the annotation file'
                if are_labelled
                else 'Mend them, or take them out of the folder'
            )
        )
