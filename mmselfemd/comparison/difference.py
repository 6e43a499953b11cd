r"""By how much a detector is better, uncertain by the seeds and the images.

The difference that seed s reads on N images is taken for

.. math::
    d_s = \delta + u_s + m + e_s

with :math:`\delta` that of all seeds and all images there could be, u what the
seed does (initial heads, order of the images), m what the choice of the images
does to all seeds alike, and e what it does to this seed alone. The mean over
S seeds then has the variance

.. math::
    \operatorname{Var}(\bar d)
    = \frac{\sigma_u^2 + \sigma_e^2}{S} + \sigma_m^2 .

The spread between the seeds knows the first part, and nothing of the second:
all seeds were evaluated on the same images. A bootstrap over images, with the
same draws for both detectors and all seeds, knows the second: it is the
covariance of two seeds' differences over the draws.
"""

from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from .wording import in_words

CONFIDENCE = 0.95
POWER = 0.8  # of what could be shown


@cache
def _quantile(probability: float, freedom: float) -> float:
    """Of Student's t; scipy takes long for one number."""
    return float(stats.t.ppf(probability, freedom))


def half_width(
    seed_variance: float,
    num_seeds: float,
    image_variance: float,
    num_images: float = np.inf,
    confidence: float = CONFIDENCE,
) -> float:
    r"""Half the interval of a mean over seeds.

    .. math::
        \sqrt{t_{S-1}^2 \frac{s^2}{S} + t_{N-1}^2 v}

    Each part has the quantile of Student's t for what it is known from. Three
    seeds know their own spread badly, and t says how badly; a bootstrap over
    three seeds does not. The sum covers at least as often as it says,
    whatever the two variances are (Banerjee, "Approximate confidence interval
    for linear functions of means of k populations when the population
    variances are not equal", Sankhya 22, 1960), which Satterthwaite's
    degrees of freedom do not for so few.

    Args:
        seed_variance (float): Of the seeds' differences, :math:`s^2`; not
            looked at for one seed.
        num_seeds (float): S. One seed has the images' part alone.
        image_variance (float): Of their mean by the choice of images, v.
        num_images (float): N. Defaults to infinity: v is known.
        confidence (float): In (0, 1). Defaults to 0.95.

    Returns:
        float: Half the width.
    """
    quantile = (1 + confidence) / 2
    by_image = _quantile(quantile, num_images - 1) ** 2 * image_variance
    if num_seeds < 2:
        return float(by_image**0.5)
    by_seed = _quantile(quantile, num_seeds - 1) ** 2 * seed_variance
    return float((by_seed / num_seeds + by_image) ** 0.5)


@dataclass(frozen=True)
class Difference:
    """By how much the first is better, with a 95 % interval.

    Attributes:
        metric (str): What was compared, see :data:`METRICS`.
        mean (float): First less second, mean over the seeds; AP in [0, 1].
        low (float): Lower end of the interval. For one seed it holds the
            choice of the images alone.
        high (float): Upper end.
        num_seeds (int): Pairs of runs.
        num_images (int): On which both were evaluated.
        seed_variance (float): Of one seed's difference; NaN for one seed.
        image_variance (float): Of the mean, by the choice of the images.
        num_with_objects (int | None): Images that hold something to find,
            from which the spread is known. Defaults to None: all.
        best (float | None): The figure of the better one, mean over the
            seeds. Defaults to None: not known.
    """

    metric: str
    mean: float
    low: float
    high: float
    num_seeds: int
    num_images: int
    seed_variance: float
    image_variance: float
    num_with_objects: int | None = None
    best: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether several seeds show a difference: zero is left out."""
        return self.num_seeds > 1 and (self.low > 0 or self.high < 0)

    def detectable(self, num_seeds: int | None = None) -> float:
        """The least difference that seeds would show on these images.

        Such a difference would be shown in about 8 of 10 tries, if the spread
        between the seeds is as it was seen. From few seeds that is known
        badly.

        Args:
            num_seeds (int, optional): How many. Defaults to None: those that
                there are.

        Returns:
            float: AP in [0, 1]; NaN if there was one seed only, or one is
            asked for.
        """
        num_seeds = self.num_seeds if num_seeds is None else num_seeds
        if num_seeds < 2 or self.num_seeds < 2:
            return float('nan')
        half = half_width(
            self.seed_variance,
            num_seeds,
            self.image_variance,
            self.num_with_objects or self.num_images,
        )
        variance = self.seed_variance / num_seeds + self.image_variance
        return half + float(stats.norm.ppf(POWER) * variance**0.5)

    def seeds_needed(self, difference: float, most: int = 100) -> int | None:
        """How many seeds would show a difference on these images.

        Args:
            difference (float): AP in [0, 1].
            most (int): How many are thought of. Defaults to 100.

        Returns:
            int | None: The least number; None if so many would not, because
            the images are too few, or if there was one seed only.
        """
        for num_seeds in range(2, most + 1):
            if self.detectable(num_seeds) <= abs(difference):
                return num_seeds
        return None

    def sentence(self, first: str, second: str) -> str:
        """The answer in words, AP in points of 100.

        Args:
            first (str): What the first is called.
            second (str): What the second is called.

        Returns:
            str: Whether the first helps, with the interval; or what the seeds
            and images could have shown. And a warning where neither has
            learnt anything that could differ.
        """
        return in_words(self, first, second)

    def as_json(self) -> dict[str, Any]:
        """All of it, for a JSON file.

        Returns:
            dict[str, Any]: The attributes, ``is_clear`` and ``detectable``;
            None for what is not known.
        """
        values = asdict(self) | dict(
            is_clear=self.is_clear, detectable=self.detectable()
        )
        return {
            name: None if value != value else value
            for name, value in values.items()
        }


def estimate_difference(
    differences: np.ndarray,
    resampled: np.ndarray,
    num_images: int,
    metric: str = 'AP50',
    num_with_objects: int | None = None,
) -> Difference:
    """Mean difference and interval, see the head of this module.

    Args:
        differences (np.ndarray): First less second, of each seed, (S,).
        resampled (np.ndarray): The same on images drawn with replacement, the
            same draws for all seeds, (R, S); draws with NaN are left out.
        num_images (int): How many images there are, of which as many are
            drawn.
        metric (str): What was compared. Defaults to ``AP50``.
        num_with_objects (int, optional): Images that hold something to find:
            of a rare class the spread is known from these few. Defaults to
            None: all.

    Returns:
        Difference: Mean and interval; NaN where no two draws have a figure,
        or one image alone holds something to find.
    """
    counted = num_images if num_with_objects is None else num_with_objects
    num_seeds = len(differences)
    mean = float(np.mean(differences))
    resampled = resampled[np.isfinite(resampled).all(1)]
    seed_variance = image_variance = float('nan')
    if len(resampled) > 1 and counted > 1:
        # A bootstrap's variance is that of N - 1 images.
        scale = counted / (counted - 1)
        covariance = scale * np.cov(resampled.T).reshape(num_seeds, num_seeds)
        image_variance = float(_alike(covariance))
    if num_seeds > 1:
        seed_variance = float(np.var(differences, ddof=1))
    half = half_width(seed_variance, num_seeds, image_variance, counted)
    return Difference(
        metric,
        mean,
        mean - half,
        mean + half,
        num_seeds,
        num_images,
        seed_variance,
        image_variance,
        num_with_objects,
    )


def _alike(covariance: np.ndarray) -> float:
    """What images do to all seeds alike: the mean off the diagonal."""
    count = len(covariance)
    if count == 1:
        return covariance[0, 0]
    off_diagonal = covariance.sum() - np.trace(covariance)
    return max(off_diagonal / (count * (count - 1)), 0)
