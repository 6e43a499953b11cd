"""The untrained backbone that all candidates of a seed begin from."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.atomic_file import atomic_write
from mmselfemd.zoo.frozen_backbone import build_untrained

from .candidates import UNTRAINED


def untrained_path(work_dir: Path, seed: int) -> Path:
    """Where a study keeps the untrained backbone of a seed.

    Args:
        work_dir (Path): Folder of the study.
        seed (int): The seed.

    Returns:
        Path: The file, there or not.
    """
    return work_dir / f'{UNTRAINED}_{seed}.pth'


def save_untrained(cfg: Config, work_dir: Path, seeds: Iterable[int]) -> None:
    """Keep an untrained backbone for each seed, for its runs to begin from.

    A seed by itself does not do that: neck and head draw from the generator
    as they are built, before the backbone is initialised, and each method has
    others. What is there stays.

    Args:
        cfg (Config): Config of a candidate; all have the same backbone.
        work_dir (Path): Folder of the study.
        seeds (Iterable[int]): ``randomness.seed`` of each.
    """
    for seed in seeds:
        path = untrained_path(work_dir, seed)
        if path.is_file():
            continue
        seeded = cfg.copy()
        seeded.randomness = dict(seed=seed)
        weights = build_untrained(seeded).backbone.state_dict()
        with atomic_write(path) as file:
            torch.save(dict(state_dict=weights), file)


def fingerprint(path: Path) -> np.ndarray:
    """What tells one untrained backbone from another.

    Args:
        path (Path): File of :func:`save_untrained`.

    Returns:
        np.ndarray: The norm of each of its values, by name. Compare with a
        tolerance: another processor may draw the same weights with other
        last digits.

    Raises:
        UserError: If the file is damaged.
    """
    weights = CheckpointLoader.load_checkpoint(
        str(path), map_location='cpu', logger='silent'
    )['state_dict']
    norms = (weights[name].float().norm() for name in sorted(weights))
    return np.array([float(norm) for norm in norms])
