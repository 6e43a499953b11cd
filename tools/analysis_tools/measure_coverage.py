"""How often intervals cover a known difference, in simulated comparisons.

Scores of images are sums of normal parts: the difference, what the seed does,
what the image does to all seeds, and what it does to one. Beside the interval
of mmselfemd.comparison stand others that one might take. See
docs/did_it_help.md.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from mmselfemd.comparison import Difference, estimate_difference
from mmselfemd.engine.command_line import run_tool

EFFECT = 2.0

#: Standard deviation of the difference by the seed, by the images for all
#: seeds alike, and by the images for one seed.
NOISES = {
    'mostly seeds': (1.0, 0.2, 0.2),
    'mostly images': (0.2, 1.0, 0.2),
    'images, each seed by itself': (0.2, 0.2, 1.0),
    'all alike': (1.0, 1.0, 1.0),
}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--trials', type=int, default=1000, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[3, 5],
        help='of a comparison (default: 3 5)',
    )
    parser.add_argument(
        '--num-images', type=int, default=200, help='(default: %(default)s)'
    )
    parser.add_argument(
        '--resamples', type=int, default=500, help='(default: %(default)s)'
    )
    parser.add_argument('--json', type=Path, metavar='OUT')
    return parser.parse_args()


def draw_scores(
    rng: np.random.Generator,
    num_images: int,
    num_seeds: int,
    noise: tuple[float, float, float],
) -> np.ndarray:
    """Scores of each image and seed; their means have the noise asked for."""
    seed, image, both = noise
    return (
        EFFECT
        + seed * rng.normal(size=num_seeds)
        + image * num_images**0.5 * rng.normal(size=(num_images, 1))
        + both * num_images**0.5 * rng.normal(size=(num_images, num_seeds))
    )


def intervals(
    found: Difference, resampled: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Ours and others, of the same comparison."""
    count = found.num_seeds
    of_seeds = found.seed_variance / count
    variance = of_seeds + found.image_variance
    freedom = variance**2 / (
        of_seeds**2 / (count - 1)
        + found.image_variance**2 / (found.num_images - 1)
    )
    halves = {
        'ours': found.high - found.mean,
        "Satterthwaite's": stats.t.ppf(0.975, freedom) * variance**0.5,
        'seeds by t alone': stats.t.ppf(0.975, count - 1) * of_seeds**0.5,
    }
    seeds = rng.integers(count, size=resampled.shape)
    drawn = np.take_along_axis(resampled, seeds, axis=1).mean(1)
    by_percentiles = {
        'bootstrap of images and seeds': drawn,
        'bootstrap of images': resampled.mean(1),
    }
    return {
        name: (found.mean - half, found.mean + half)
        for name, half in halves.items()
    } | {
        name: tuple(np.percentile(values, [2.5, 97.5]))
        for name, values in by_percentiles.items()
    }


def measure(args: argparse.Namespace) -> list[dict]:
    """A row for each noise and number of seeds."""
    rng = np.random.default_rng(0)
    count = args.num_images
    draws = rng.multinomial(count, np.full(count, 1 / count), args.resamples)
    rows = []
    cases = [(noise, seeds) for noise in NOISES for seeds in args.seeds]
    for noise, num_seeds in track(cases, description='simulating'):
        covered = defaultdict(list)
        for _ in range(args.trials):
            scores = draw_scores(rng, count, num_seeds, NOISES[noise])
            resampled = draws @ scores / count
            found = estimate_difference(scores.mean(0), resampled, count)
            for name, (low, high) in intervals(found, resampled, rng).items():
                covered[name].append(low <= EFFECT <= high)
        rows.append(
            dict(noise=noise, seeds=num_seeds)
            | {name: float(np.mean(each)) for name, each in covered.items()}
        )
    return rows


def main() -> None:
    """Simulate and print."""
    args = parse_args()
    rows = measure(args)
    table = Table(*rows[0], title='Share of the intervals that cover')
    for row in rows:
        table.add_row(
            *(
                f'{value:.3f}' if isinstance(value, float) else str(value)
                for value in row.values()
            )
        )
    Console().print(table)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(rows, indent=2) + '\n')


if __name__ == '__main__':
    run_tool(main)
