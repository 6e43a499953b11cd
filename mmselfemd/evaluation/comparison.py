"""Several networks on the same images, and what they differ by."""

from collections.abc import Mapping

import numpy as np

from .bootstrap import Statistic, bootstrap, paired_differences


def compare(
    sums: Mapping[str, np.ndarray], statistic: Statistic, reference: str
) -> dict[str, dict]:
    """Figures of networks, their standard errors, and paired differences.

    Args:
        sums (Mapping[str, np.ndarray]): For each network what was counted in
            each image, see :func:`bootstrap`; on the same images.
        statistic (Callable): Makes figures of sums over images.
        reference (str): The network that others are compared with. It may
            be absent as yet.

    Returns:
        dict[str, dict]: For each network its figures, ``{figure}_error``,
        their standard errors, and, but for the reference, ``differences``:
        ``{reference: {figure: {value, error, low, high}}}``, with the ends of
        the 95 % interval.
    """
    compared = {}
    for name, counted in sums.items():
        figures = compared[name] = {}
        for figure, estimate in bootstrap(counted, statistic).items():
            figures[figure] = estimate.value
            figures[f'{figure}_error'] = estimate.error
        if name != reference and reference in sums:
            differences = paired_differences(
                counted, sums[reference], statistic
            )
            figures['differences'] = {
                reference: {
                    figure: estimate._asdict()
                    for figure, estimate in differences.items()
                }
            }
    return compared
