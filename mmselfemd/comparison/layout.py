"""Where each run of a comparison is, and what it is trained by."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mmengine.config import Config

from mmselfemd.errors import UserValueError
from mmselfemd.settings.run_length import iterations_of

from .candidates import Candidate
from .configs import last_checkpoint
from .runs import DetectorRun, PretrainingRun, Run

#: Configs with their images of training (or montages of an epoch), by
#: :func:`pretraining_name` or the fraction of a detector.
Configs = dict[str | float, tuple[Config, int]]


def pretraining_name(candidate: Candidate, fraction: float) -> str:
    """What the pre-training before a detector is called.

    Args:
        candidate (Candidate): One with a ``config``.
        fraction (float): Share of the labels that the detector has.

    Returns:
        str: One for each share where boxes are learnt from: a detector's
        backbone has seen no box that the detector does not see.
    """
    if candidate.learns_from_boxes:
        return f'{candidate.name}_labels{fraction:g}'
    return candidate.name


def num_pretrainings(candidate: Candidate, num_fractions: int) -> int:
    """How many pre-trainings a candidate has for each seed.

    Args:
        candidate (Candidate): One with a ``config``.
        num_fractions (int): How many shares of the labels there are.

    Returns:
        int: At least 1, see :func:`pretraining_name`.
    """
    return num_fractions if candidate.learns_from_boxes else 1


def check_names(
    candidates: Sequence[Candidate], fractions: Sequence[float]
) -> None:
    """Raise if two configs would be the same file.

    Args:
        candidates (Sequence[Candidate]): What is compared.
        fractions (Sequence[float]): Shares of the labelled images.

    Raises:
        UserValueError: With the candidate that needs another name.
    """
    taken = {_detector_name(fraction) for fraction in fractions}
    for candidate in candidates:
        if candidate.config is None:
            continue
        own = {pretraining_name(candidate, each) for each in fractions}
        if own & taken:
            raise UserValueError(
                f"'{candidate.name}': {min(own & taken)}.py is the config of "
                'other runs, too; give one of the candidates another name'
            )
        taken |= own


def config_file(work_dir: Path, name: str | float) -> Path:
    """Where a config is written.

    Args:
        work_dir (Path): Folder of the comparison.
        name (str | float): See :data:`Configs`.

    Returns:
        Path: The file.
    """
    stem = name if isinstance(name, str) else _detector_name(name)
    return work_dir / 'configs' / f'{stem}.py'


def _detector_name(fraction: float) -> str:
    return f'detector_labels{fraction:g}'


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
            for shares in _with_one_backbone(candidate, fractions):
                pretrained = weights.get(candidate.name)
                if candidate.config is not None:
                    run = _pretraining(
                        work_dir, candidate, seed, shares[0], configs
                    )
                    pretrained = str(run.backbone)
                    runs.append(run)
                runs += _detectors(
                    work_dir, candidate, seed, shares, configs, pretrained
                )
    return runs


def _with_one_backbone(
    candidate: Candidate, fractions: Sequence[float]
) -> list[Sequence[float]]:
    if candidate.learns_from_boxes:
        return [[fraction] for fraction in fractions]
    return [fractions]


def _pretraining(
    work_dir: Path,
    candidate: Candidate,
    seed: int,
    fraction: float,
    configs: Configs,
) -> PretrainingRun:
    name = pretraining_name(candidate, fraction)
    cfg, num_images = configs[name]
    # As those of the detectors: labels come behind the seed.
    stem = f'{candidate.name}_seed{seed}{name.removeprefix(candidate.name)}'
    return PretrainingRun(
        candidate,
        fraction if candidate.learns_from_boxes else None,
        seed,
        config_file(work_dir, name),
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
