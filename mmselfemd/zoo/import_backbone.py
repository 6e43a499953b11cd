"""From the weights of another project to a backbone that our configs load."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError

from .architecture import infer_architecture, tensors_of
from .beside import Beside, read_beside
from .loading import check_finite
from .numpy_pickle import read_numpy_pickle
from .pixels import CONVENTIONS, read_convention
from .recognition import Recognised, recognise
from .saving import check_replaceable
from .sources import PROJECTS, Source

__all__ = ['ImportedBackbone', 'import_backbone']

# `__author__` of the converters that start from torchvision's layout, whose
# weights take torchvision's pixels: Detectron2's own, MoCo's, PixPro's,
# SlotCon's (transfer/detection/convert_pretrain_to_d2.py), and ours.
_TORCHVISION_AUTHORS = ('torchvision', 'MOCO', 'PixPro', 'lalala')

# timm's networks whose tensors are those of these (mmselfemd/zoo/beside.py).
_POOLED = {
    18: 'resnetblur18',
    50: 'resnetaa50 and resnetblur50',
}


class ImportedBackbone(NamedTuple):
    """What :func:`import_backbone` wrote.

    Attributes:
        path (Path): The file.
        recognised (str): What the source was taken for.
        architecture (dict): The network, as a config of mmdet.
        mapped (dict[str, str]): Their names and ours.
        left (list[str]): Their names that are no part of the backbone:
            classifiers, projectors, queues, other encoders.
        others (dict[str, int]): Other places in the file that hold tensors,
            and how many.
        missing (list[str]): Our names that the file lacks: batch counters of
            batch norm at most.
        notes (list[str]): What the user should know.
        meta (dict): What the file records, ``pixel_convention`` and ``style``
            among it, and ``strides`` and ``dilations`` where they are known.
    """

    path: Path
    recognised: str
    architecture: dict
    mapped: dict[str, str]
    left: list[str]
    others: dict[str, int]
    missing: list[str]
    notes: list[str]
    meta: dict


def import_backbone(
    source: str | Path,
    out: str | Path,
    project: str | None = None,
    convention: str | None = None,
    force: bool = False,
) -> ImportedBackbone:
    """Rewrite a published backbone with our names, and say what it expects.

    Whose file it is, is seen from the names and shapes of its tensors
    (:mod:`mmselfemd.zoo.sources`) and, where these do not tell, from its name
    and the ``config.json`` beside it (:mod:`mmselfemd.zoo.beside`).

    Args:
        source (str or Path): A file as the project publishes it, or any
            address that mmengine's ``CheckpointLoader`` takes, such as
            ``torchvision://resnet50``. A ``.pkl`` is to be on this machine.
        out (str or Path): The file to write. Its folder is made.
        project (str, optional): Whose file it is, one of
            :data:`~mmselfemd.zoo.sources.PROJECTS`. Defaults to None: it is
            recognised.
        convention (str, optional): The pixels and the style of the weights, a
            key of :data:`~mmselfemd.zoo.pixels.CONVENTIONS`. Defaults to
            None: what the file records, else what holds for the project.
        force (bool): Whether to replace ``out`` if it exists.
            Defaults to False.

    Returns:
        ImportedBackbone: What was written.

    Raises:
        FileExistsError: If ``out`` exists and ``force`` is not set.
        ValueError: If the file holds no whole backbone of a known
            architecture, or nothing tells its pixels.
    """
    if project is not None:
        _check_choice('project', project, PROJECTS)
    if convention is not None:
        _check_choice('convention', convention, CONVENTIONS)
    out, source = Path(out), str(source)
    check_replaceable(out, force)
    loaded = _load(source)
    beside = read_beside(source)
    found = recognise(loaded, source, project or beside.project)
    weights, row = found.weights, found.row
    ours = {new: weights[old] for old, new in found.names.items()}
    architecture = infer_architecture(ours, source)
    _check_known(architecture, row, source)
    wanted = tensors_of(architecture)
    mapped = {old: new for old, new in found.names.items() if new in wanted}
    meta = dict(
        source=Path(source).name,
        project=row.project,
        architecture=architecture,
        **_convention(loaded, found, beside, architecture, convention, source),
    )
    backbone = {new: weights[old] for old, new in mapped.items()}
    check_finite(backbone, source)
    # Copies: a slice of a larger storage would be saved with all of it.
    backbone = {name: value.clone() for name, value in backbone.items()}
    with atomic_write(out) as file:
        torch.save(dict(state_dict=backbone, meta=meta), file)
    return ImportedBackbone(
        path=out,
        recognised=row.title,
        architecture=architecture,
        mapped=mapped,
        left=[name for name in weights if name not in mapped],
        others=found.others,
        missing=[name for name in wanted if name not in backbone],
        notes=_notes(row, architecture, beside),
        meta=meta,
    )


def _check_choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise UserValueError(
            f'{name}={value!r}: expected one of {", ".join(known)}.'
        )


def _check_known(architecture: dict, row: Source, source: str) -> None:
    known = row.names.networks
    if architecture['type'] not in known:
        raise UserValueError(
            f'{source} is a {architecture["type"]}, whose names in '
            f'{row.project} are not known; known are {", ".join(known)}.'
        )


def _load(source: str) -> dict:
    if source.endswith('.pkl') and '://' in source:
        raise UserValueError(
            f'{source}: a .pkl is read from this machine alone. Download it '
            'first, and name the file.'
        )
    if source.endswith('.pkl'):
        return read_numpy_pickle(source)
    return CheckpointLoader.load_checkpoint(
        source, map_location='cpu', logger='silent'
    )


def _notes(row: Source, architecture: dict, beside: Beside) -> list[str]:
    pooled = _POOLED.get(architecture.get('depth'))
    could_be_timm = row.project == 'timm' or row.layout == 'torchvision'
    usual = dict(type='ResNet', stem_channels=64, base_channels=64)
    is_resnet = usual.items() <= architecture.items()
    if not (pooled and could_be_timm and is_resnet) or beside.is_plain:
        return []
    return [
        f"of timm's networks, {pooled} have these names and shapes, too, and "
        'compute something else. Neither the name of the file nor a '
        'config.json beside it tells: make sure that it is none of them.'
    ]


def _convention(
    loaded: dict,
    found: Recognised,
    beside: Beside,
    architecture: dict,
    name: str | None,
    source: str,
) -> dict:
    """The pixels and the style: as recorded, as given, or the project's."""
    try:
        recorded = read_convention(loaded.get('meta'), source)
    except UserValueError:
        if name is None:
            raise
        recorded = {}  # what is given goes before a broken record
    recorded = {**beside.recorded, **recorded}
    if name is not None:
        _check_agrees(name, recorded, source)
        return {**recorded, **CONVENTIONS[name]}
    if 'pixel_convention' in recorded:
        return recorded
    name, author = found.row.convention, loaded.get('__author__')
    if isinstance(name, dict):
        name = name.get(architecture['type'])
    if isinstance(author, str) and author in _TORCHVISION_AUTHORS:
        name = name or 'torchvision'
    if name is None:
        raise UserValueError(
            f'{source} is {found.row.title}, and does not say which pixels '
            'it was trained on. Say it: --convention msra (BGR, mean '
            'subtracted, stride in the 1x1: ImageNetPretrained/MSRA), fair '
            '(BGR, mean and std: X-101-32x8d), or torchvision (RGB, mean and '
            'std, stride in the 3x3: all that were converted from PyTorch).'
        )
    return {**CONVENTIONS[name], **recorded}


def _check_agrees(name: str, recorded: dict, source: str) -> None:
    """Raise if a file records another order or stride than is given."""
    given, pixels = CONVENTIONS[name], recorded.get('pixel_convention')
    for what, recorded_one, given_one in (
        (
            'order of colours',
            pixels and pixels['channel_order'],
            given['pixel_convention']['channel_order'],
        ),
        ('style', recorded.get('style'), given['style']),
    ):
        if recorded_one not in (None, given_one):
            raise UserValueError(
                f'{source} records {recorded_one!r} as its {what}, and '
                f'--convention {name} says {given_one!r}. Leave out '
                '--convention: what is recorded is taken.'
            )
