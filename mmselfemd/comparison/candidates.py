"""What a comparison compares: ways for a detector's backbone to begin."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mmselfemd.errors import UserValueError

#: Weights that nobody has trained.
RANDOM = 'random'

#: What no way of pre-training can be called: the times of the detectors are
#: kept under the last.
_RESERVED = (RANDOM, 'detector')

#: What the candidates of this project are called in sentences and tables.
_LABELS = {
    RANDOM: 'random weights',
    'selfemd': 'Self-EMD',
    'byol': 'BYOL',
    'known_pairs': 'pairs known from the crops',
    'montage': 'Montage',
}
_NAME = re.compile(r'[\w.+-]+')


class Candidate(NamedTuple):
    """One way for the backbone to begin.

    Attributes:
        name (str): In files, and on the command line.
        config (str | None): The config of its pre-training; None if there is
            none.
        weights (str | None): A file or address of weights; None if there are
            none. Without either, the weights are random.
        learns_from_boxes (bool): Whether its pre-training takes the labelled
            images, those of each share by itself, and not the unlabelled
            photographs.
    """

    name: str
    config: str | None = None
    weights: str | None = None
    learns_from_boxes: bool = False

    @property
    def label(self) -> str:
        """In sentences, tables and figures."""
        return _LABELS.get(self.name, self.name)


class Recipe(NamedTuple):
    """Configs of one size that fit together.

    Attributes:
        detector (str): Of the detector, below ``configs/``.
        pretraining (dict[str, str]): Of each way of pre-training.
    """

    detector: str
    pretraining: dict[str, str]


RECIPES = dict(
    small=Recipe(
        'small/faster-rcnn_r18_fpn_256.py',
        dict(
            selfemd='small/selfemd_r18_voc256_20e.py',
            byol='small/byol_r18_voc256_20e_three-views.py',
            known_pairs='small/known-pairs_r18_voc256_20e.py',
            montage='small/montage_r18_voc256_20e.py',
        ),
    ),
    r50=Recipe(
        'detection/coco/faster-rcnn_r50_fpn_syncbn_90k_coco.py',
        dict(
            selfemd='selfemd/selfemd_r50_coco_800e.py',
            byol='byol/byol_r50_coco_800e.py',
            known_pairs='known_pairs/known-pairs_r50_coco_800e.py',
            montage='montage/montage_r50_coco_64k.py',
        ),
    ),
)


def is_of_a_recipe(config: str | Path) -> bool:
    """Whether a config is one of those that this project chooses itself.

    Args:
        config (str | Path): Path of the file.

    Returns:
        bool: False for a config of the user's.
    """
    return any(
        Path(config).as_posix().endswith(f'/configs/{name}')
        for recipe in RECIPES.values()
        for name in (recipe.detector, *recipe.pretraining.values())
    )


def parse_candidates(
    words: Sequence[str], configs: Mapping[str, str]
) -> list[Candidate]:
    """Read the candidates off the command line.

    Args:
        words (Sequence[str]): ``random``, the name of a way of pre-training,
            or ``NAME=WEIGHTS``. If all are of the last kind, or there is
            none, ``random`` and ``selfemd`` come first.
        configs (Mapping[str, str]): The config of each way of pre-training.

    Returns:
        list[Candidate]: At least two, in the order in which they were named.

    Raises:
        UserValueError: If a name is unknown, there twice, or cannot be that
            of a folder, or there is nothing to compare.
    """
    for name in configs:
        if name in _RESERVED:
            raise UserValueError(
                f"'{name}' has a meaning of its own here: give that way of "
                'pre-training another name'
            )
    candidates = [_parse(word, configs) for word in _with_defaults(words)]
    found = [candidate.name for candidate in candidates]
    for name in found:
        if found.count(name) > 1:
            raise UserValueError(f"the candidate '{name}' is named twice")
    if len(candidates) < 2:
        raise UserValueError(
            f"'{found[0]}' is the only candidate: name another to compare it "
            'with'
        )
    return candidates


def parse_pretraining(
    words: Sequence[str], candidates: Sequence[str]
) -> dict[str, Path]:
    """Read ways of pre-training off the command line.

    Args:
        words (Sequence[str]): ``NAME=CONFIG``; ``CONFIG`` is that of
            ``selfemd``.
        candidates (Sequence[str]): As for :func:`parse_candidates`.

    Returns:
        dict[str, Path]: By name the absolute path of the config.

    Raises:
        UserValueError: If one is no candidate, or is there twice.
    """
    configs: dict[str, Path] = {}
    for word in words:
        name, equals, config = word.partition('=')
        if not equals:
            name, config = 'selfemd', word
        if name in configs:
            raise UserValueError(f"--pretrain: '{name}' is named twice")
        if name not in _with_defaults(candidates):
            raise UserValueError(
                f"--pretrain {word}: '{name}' is no candidate, so that this "
                'would not be used; add it to --candidates'
            )
        configs[name] = Path(config).resolve()
    return configs


def _with_defaults(words: Sequence[str]) -> Sequence[str]:
    """As said at :func:`parse_candidates`."""
    if all('=' in word for word in words):
        return [RANDOM, 'selfemd', *words]
    return words


def _parse(word: str, configs: Mapping[str, str]) -> Candidate:
    name, equals, weights = word.partition('=')
    if not _NAME.fullmatch(name) or name.strip('.') == '':
        raise UserValueError(
            f"'{word}': the name of a candidate is made of letters, digits, "
            "'.', '_', '+' and '-'"
        )
    if equals:
        if not weights:
            raise UserValueError(f"'{word}': there is no file behind the '='")
        if name in (RANDOM, *configs):
            raise UserValueError(
                f"'{word}': '{name}' has a meaning of its own here; give the "
                'weights another name'
            )
        return Candidate(name, weights=weights)
    if name == RANDOM:
        return Candidate(RANDOM)
    if name not in configs:
        raise UserValueError(
            f"there is no candidate '{name}'; there are: "
            f'{", ".join((RANDOM, *configs))}, and weights of your own as '
            'NAME=FILE'
        )
    return Candidate(name, config=configs[name])
