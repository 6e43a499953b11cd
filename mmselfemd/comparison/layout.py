"""Where each run of a comparison is, and what it is trained by."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from mmselfemd.settings.run_length import iterations_of

from .candidates import Candidate
from .configs import last_checkpoint
from .runs import DetectorRun, PretrainingRun, Run

#: Configs with their images of training, by the name of a way of pre-training
#: or the fraction of a detector.
Configs = dict[str | float, tuple[Config, int]]


def config_file(work_dir: Path, name: str | float) -> Path:
    """Where a config is written.

    Args:
        work_dir (Path): Folder of the comparison.
        name (str | float): See :data:`Configs`.

    Returns:
        Path: The file.
    """
    stem = name if isinstance(name, str) else f'detector_labels{name:g}'
    return work_dir / 'configs' / f'{stem}.py'


def lay_out(
    work_dir: Path,
    candidates: Sequence[Candidate],
    fractions: Sequence[float],
    seeds: int,
    configs: Configs,
    weights: Mapping[str, str],
) -> list[Run]:
    """All runs of a seed, then of the next: a candidate's behind each other.

    What is finished early is then a whole comparison with fewer seeds.

    Args:
        work_dir (Path): Folder of the comparison.
        candidates (Sequence[Candidate]): What is compared.
        fractions (Sequence[float]): Shares of the labelled images.
        seeds (int): How many runs of each.
        configs (Configs): What they are trained by.
        weights (Mapping[str, str]): By candidate the weights that the user
            named.

    Returns:
        list[Run]: In the order in which they are started.
    """
    runs: list[Run] = []
    for seed in range(seeds):
        for candidate in candidates:
            pretrained = weights.get(candidate.name)
            if candidate.config is not None:
                run = _pretraining(work_dir, candidate, seed, configs)
                pretrained = str(run.backbone)
                runs.append(run)
            runs += _detectors(
                work_dir, candidate, seed, fractions, configs, pretrained
            )
    return runs


def _pretraining(
    work_dir: Path, candidate: Candidate, seed: int, configs: Configs
) -> PretrainingRun:
    cfg, num_images = configs[candidate.name]
    stem = f'{candidate.name}_seed{seed}'
    return PretrainingRun(
        candidate,
        seed,
        config_file(work_dir, candidate.name),
        work_dir / 'pretraining' / stem,
        last_checkpoint(cfg),
        iterations_of(cfg, num_images),
        work_dir / 'backbones' / f'{stem}.pth',
    )


def _detectors(
    work_dir: Path,
    candidate: Candidate,
    seed: int,
    fractions: Sequence[float],
    configs: Configs,
    pretrained: str | None,
) -> Iterator[DetectorRun]:
    for fraction in fractions:
        cfg, num_images = configs[fraction]
        stem = f'{candidate.name}_seed{seed}_labels{fraction:g}'
        yield DetectorRun(
            candidate,
            fraction,
            seed,
            config_file(work_dir, fraction),
            work_dir / 'detectors' / stem,
            last_checkpoint(cfg),
            iterations_of(cfg, num_images),
            pretrained,
        )
