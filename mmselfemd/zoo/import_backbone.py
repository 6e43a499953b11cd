"""From the weights of another project to a backbone that our configs load."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError

from .architecture import infer_architecture, tensors_of
from .key_rules import PROJECTS
from .loading import check_finite, state_dict_of
from .numpy_pickle import read_numpy_pickle
from .pixels import CONVENTIONS, read_convention
from .saving import check_replaceable

__all__ = ['ImportedBackbone', 'import_backbone']

# `__author__` of the converters that start from torchvision's layout, whose
# weights take torchvision's pixels: Detectron2's own, MoCo's, PixPro's,
# SlotCon's (transfer/detection/convert_pretrain_to_d2.py), and ours.
_TORCHVISION_AUTHORS = ('torchvision', 'MOCO', 'PixPro', 'lalala')


class ImportedBackbone(NamedTuple):
    """What :func:`import_backbone` wrote.

    Attributes:
        path (Path): The file.
        architecture (dict): The network, as a config of mmdet.
        mapped (dict[str, str]): Their names and ours.
        left (list[str]): Their names that are no part of the backbone:
            classifiers, projectors, queues, other encoders.
        missing (list[str]): Our names that the file lacks: batch counters of
            batch norm at most.
        meta (dict): What the file records, ``pixel_convention`` and ``style``
            among it, and ``strides`` and ``dilations`` where they are known.
    """

    path: Path
    architecture: dict
    mapped: dict[str, str]
    left: list[str]
    missing: list[str]
    meta: dict


def import_backbone(
    source: str | Path,
    out: str | Path,
    project: str,
    convention: str | None = None,
    force: bool = False,
) -> ImportedBackbone:
    """Rewrite a published backbone with our names, and say what it expects.

    Args:
        source (str or Path): A file as the project publishes it, or any
            address that mmengine's ``CheckpointLoader`` takes, such as
            ``torchvision://resnet50``.
        out (str or Path): The file to write. Its folder is made.
        project (str): Whose file it is, a key of
            :data:`~mmselfemd.zoo.key_rules.PROJECTS`.
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
    _check_choice('project', project, PROJECTS)
    if convention is not None:
        _check_choice('convention', convention, CONVENTIONS)
    out, source = Path(out), str(source)
    check_replaceable(out, force)
    loaded = _load(source)
    weights = _weights_of(loaded, source)
    names = _our_names(weights, project, source)
    ours = {new: weights[old] for old, new in names.items()}
    architecture = infer_architecture(ours, source)
    _check_known(architecture, project, source)
    wanted = tensors_of(architecture)
    mapped = {old: new for old, new in names.items() if new in wanted}
    meta = dict(
        source=Path(source).name,
        project=project,
        architecture=architecture,
        **_convention(loaded, project, convention, source),
    )
    backbone = {new: weights[old] for old, new in mapped.items()}
    check_finite(backbone, source)
    # Copies: a slice of a larger storage would be saved with all of it.
    backbone = {name: value.clone() for name, value in backbone.items()}
    with atomic_write(out) as file:
        torch.save(dict(state_dict=backbone, meta=meta), file)
    return ImportedBackbone(
        path=out,
        architecture=architecture,
        mapped=mapped,
        left=[name for name in weights if name not in mapped],
        missing=[name for name in wanted if name not in backbone],
        meta=meta,
    )


def _check_choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise UserValueError(
            f'{name}={value!r}: expected one of {", ".join(known)}.'
        )


def _our_names(
    weights: dict[str, Tensor], project: str, source: str
) -> dict[str, str]:
    """Their names of what may be a backbone, and ours."""
    names = PROJECTS[project].ours(weights)
    if not names:
        raise UserValueError(
            f'{source} is no file of {project}: none of its '
            f'{len(weights)} names, {next(iter(weights))} first, starts with '
            f'{" or ".join(PROJECTS[project].prefixes)}.'
        )
    return names


def _check_known(architecture: dict, project: str, source: str) -> None:
    known = PROJECTS[project].networks
    if architecture['type'] not in known:
        raise UserValueError(
            f'{source} is a {architecture["type"]}, whose names in {project} '
            f'are not known; known are {", ".join(known)}.'
        )


def _load(source: str) -> dict:
    if source.endswith('.pkl'):
        return read_numpy_pickle(source)
    return CheckpointLoader.load_checkpoint(
        source, map_location='cpu', logger='silent'
    )


def _weights_of(loaded: dict, source: str) -> dict[str, Tensor]:
    """Take what lies under ``model`` or ``state_dict``, or is bare."""
    inner = loaded.get('model') if isinstance(loaded, dict) else None
    return state_dict_of(inner if isinstance(inner, dict) else loaded, source)


def _convention(
    loaded: dict, project: str, name: str | None, source: str
) -> dict:
    """The pixels and the style: as given, as recorded, or the project's."""
    try:
        recorded = read_convention(loaded.get('meta'), source)
    except UserValueError:
        if name is None:
            raise
        recorded = {}  # what is given goes before a broken record
    if name is not None:
        return {**recorded, **CONVENTIONS[name]}
    if 'pixel_convention' in recorded:
        return recorded
    name, author = PROJECTS[project].convention, loaded.get('__author__')
    if isinstance(author, str) and author in _TORCHVISION_AUTHORS:
        name = name or 'torchvision'
    if name is None:
        raise UserValueError(
            f'{source}: the file does not say which pixels it was trained '
            'on. Say it: --convention msra (BGR, mean subtracted, stride in '
            'the 1x1: ImageNetPretrained/MSRA), fair (BGR, mean and std: '
            'X-101-32x8d), or torchvision (RGB, mean and std, stride in the '
            '3x3: all that were converted from PyTorch).'
        )
    return {**CONVENTIONS[name], **recorded}
