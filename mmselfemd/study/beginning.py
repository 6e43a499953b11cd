"""The untrained backbone that all candidates of a seed begin from."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from mmselfemd.atomic_file import atomic_write
from mmselfemd.zoo.frozen_backbone import build_untrained

from .candidates import UNTRAINED

#: What a run leaves in its folder, which is in the study's.
_TRACES = ('*/train.log', '*/epoch_*.pth')


def find_untrained(work_dir: Path, seed: int) -> Path | None:
    """The untrained backbone of a seed, where the study keeps it.

    Args:
        work_dir (Path): Folder of the study.
        seed (int): The seed.

    Returns:
        Path | None: The file; None where each candidate begins from weights
        of its own.
    """
    path = _path(work_dir, seed)
    return path if path.is_file() else None


def save_untrained(
    cfg: Config,
    work_dir: Path,
    seeds: Iterable[int],
    report: Callable[[str], None] = print,
) -> None:
    """Keep an untrained backbone for each seed, for its runs to begin from.

    A seed by itself does not do that: neck and head draw from the generator
    as they are built, before the backbone is initialised, and each method has
    others.

    What is there stays. In a study that has runs and no such file each
    candidate began from weights of its own; none is made then, and the study
    goes on as it began.

    Args:
        cfg (Config): Config of a candidate; all have the same backbone.
        work_dir (Path): Folder of the study.
        seeds (Iterable[int]): ``randomness.seed`` of each.
        report (Callable): Given a line if none is made. Defaults to
            ``print``.
    """
    if _began_apart(work_dir):
        report(
            f'The runs in {work_dir} began from weights of their own, also '
            'those of one seed, and so will those that are left. For '
            'candidates that begin alike, give another --work-dir.'
        )
        return
    for seed in seeds:
        if find_untrained(work_dir, seed) is not None:
            continue
        seeded = cfg.copy()
        seeded.randomness = dict(seed=seed)
        weights = build_untrained(seeded).backbone.state_dict()
        with atomic_write(_path(work_dir, seed)) as file:
            torch.save(dict(state_dict=weights), file)


def fingerprint(work_dir: Path, seed: int) -> np.ndarray:
    """What tells one untrained backbone from another.

    Args:
        work_dir (Path): Folder of the study.
        seed (int): The seed.

    Returns:
        np.ndarray: The norm of each of its values, by name; empty where each
        candidate begins from weights of its own. Compare with a tolerance:
        another processor may draw the same weights with other last digits.
    """
    path = find_untrained(work_dir, seed)
    if path is None:
        return np.zeros(0)
    weights = torch.load(path, weights_only=True)['state_dict']
    norms = (weights[name].float().norm() for name in sorted(weights))
    return np.array([float(norm) for norm in norms])


def _path(work_dir: Path, seed: int) -> Path:
    return work_dir / f'{UNTRAINED}_{seed}.pth'


def _began_apart(work_dir: Path) -> bool:
    """Whether there are runs, and no untrained backbone."""
    kept = any(work_dir.glob(f'{UNTRAINED}_*.pth'))
    return not kept and any(any(work_dir.glob(each)) for each in _TRACES)
