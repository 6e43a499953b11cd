"""Draw on the host how the colours of a view change on the device."""

from numbers import Real

import numpy as np
from mmcv.transforms import BaseTransform

from mmselfemd.errors import UserValueError
from mmselfemd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DrawPhotometric(BaseTransform):
    """Draw the changes of colour of a view; the pixels stay as they are.

    :class:`mmselfemd.models.PhotometricPreprocessor` makes the changes, in
    batches on the device. It stands among the ``photometric`` transforms of
    a view of :class:`CutViews`. The defaults are BYOL's first view. All is
    drawn from numpy's generator, as mmpretrain's transforms do it.

    Added key: ``photometric``, a dict which has, where they are to be made,

    - ``jitter``: pairs of ``brightness``, ``contrast``, ``saturation`` or
      ``hue`` and its factor (for hue the shift, in turns), in random order;
    - ``grey``: 1.0;
    - ``blur``: standard deviation of the Gaussian, in pixels;
    - ``solarise``: the threshold, of values in [0, 255].

    They are made in this order.

    Args:
        brightness (float): Factors are uniform in [1 - this, 1 + this], cut
            off at 0. Defaults to 0.4.
        contrast (float): The same. Defaults to 0.4.
        saturation (float): The same. Defaults to 0.2.
        hue (float): Shifts are uniform in [-this, this], at most 0.5.
            Defaults to 0.1.
        jitter_prob (float): Probability of these four together.
            Defaults to 0.8.
        grey_prob (float): Probability of a grey view. Defaults to 0.2.
        blur_sigma (tuple[float, float]): Range of the standard deviation,
            uniform, in pixels. Defaults to (0.1, 2.0).
        blur_prob (float): Probability of a blur. Defaults to 1.0.
        solarise_threshold (float): Values from here on are inverted.
            Defaults to 128.
        solarise_prob (float): Probability of that. Defaults to 0.0.

    Raises:
        UserValueError: If a probability is not in [0, 1], a width is
            negative, ``hue`` is above 0.5, or ``blur_sigma`` is no range of
            positive numbers.
    """

    def __init__(
        self,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.2,
        hue: float = 0.1,
        jitter_prob: float = 0.8,
        grey_prob: float = 0.2,
        blur_sigma: tuple[float, float] = (0.1, 2.0),
        blur_prob: float = 1.0,
        solarise_threshold: float = 128,
        solarise_prob: float = 0.0,
    ) -> None:
        _check_between('brightness', brightness, 0, np.inf)
        _check_between('contrast', contrast, 0, np.inf)
        _check_between('saturation', saturation, 0, np.inf)
        _check_between('hue', hue, 0, 0.5)
        _check_between('jitter_prob', jitter_prob, 0, 1)
        _check_between('grey_prob', grey_prob, 0, 1)
        _check_between('blur_prob', blur_prob, 0, 1)
        _check_between('solarise_prob', solarise_prob, 0, 1)
        if len(blur_sigma) != 2 or not 0 < blur_sigma[0] <= blur_sigma[1]:
            raise UserValueError(
                'DrawPhotometric: blur_sigma must be (lowest, highest), both '
                f'positive, but got {blur_sigma!r}'
            )
        ranges = dict(
            brightness=(max(0, 1 - brightness), 1 + brightness),
            contrast=(max(0, 1 - contrast), 1 + contrast),
            saturation=(max(0, 1 - saturation), 1 + saturation),
            hue=(-hue, hue),
        )
        self.ranges = [
            (name, low, high)
            for name, (low, high) in ranges.items()
            if low < high
        ]
        self.jitter_prob = jitter_prob
        self.grey_prob = grey_prob
        self.blur_sigma = blur_sigma
        self.blur_prob = blur_prob
        self.solarise_threshold = solarise_threshold
        self.solarise_prob = solarise_prob

    def transform(self, results: dict) -> dict:
        """Draw the changes of one view.

        Args:
            results (dict): Anything.

        Returns:
            dict: The same with ``photometric``.
        """
        changes = dict()
        if np.random.rand() < self.jitter_prob:
            changes['jitter'] = [
                (name, np.random.uniform(low, high))
                for name, low, high in (
                    self.ranges[which]
                    for which in np.random.permutation(len(self.ranges))
                )
            ]
        if np.random.rand() < self.grey_prob:
            changes['grey'] = 1.0
        if np.random.rand() < self.blur_prob:
            changes['blur'] = np.random.uniform(*self.blur_sigma)
        if np.random.rand() < self.solarise_prob:
            changes['solarise'] = self.solarise_threshold
        results['photometric'] = changes
        return results


def _check_between(name: str, value: float, low: float, high: float) -> None:
    if not isinstance(value, Real) or not low <= value <= high:
        raise UserValueError(
            f'DrawPhotometric: {name} must lie in [{low}, {high}], but got '
            f'{value!r}'
        )
