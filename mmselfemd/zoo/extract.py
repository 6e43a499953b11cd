"""From a pre-training checkpoint to a backbone that a detector loads."""

import ast
import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmselfemd.errors import UserFileExistsError, UserValueError

from .loading import state_dict_of
from .saving import atomic_write

__all__ = ['FORMATS', 'ExtractedBackbone', 'extract_backbone']

#: What a backbone can be written for.
FORMATS = ('mmdet',)

_PREFIX = 'backbone.'


class ExtractedBackbone(NamedTuple):
    """What :func:`extract_backbone` wrote.

    Attributes:
        path (Path): The file.
        tensors (int): The number of tensors, buffers included.
        parameters (int): The number of values in them, without the batch
            counters of batch norm.
        size (int): The file's size in bytes.
        sha256 (str): The file's SHA-256, in hexadecimal.
        pixels (dict): The ``mean``, ``std`` and ``channel_order`` of the
            images that the backbone was trained on; empty where the
            checkpoint does not record them.
    """

    path: Path
    tensors: int
    parameters: int
    size: int
    sha256: str
    pixels: dict


def extract_backbone(
    checkpoint: str | Path,
    out: str | Path,
    to: str = 'mmdet',
    force: bool = False,
) -> ExtractedBackbone:
    """Write the query backbone of a pre-training checkpoint to its own file.

    The file holds tensors, strings and numbers alone. For ``mmdet`` the
    names are the backbone's own (``conv1.weight``), as in torchvision's
    files: ``init_cfg=dict(type='Pretrained', checkpoint=out)`` on the
    detector's backbone loads it, without this package.

    Args:
        checkpoint (str or Path): A checkpoint of SelfEMD or of another
            self-supervised method of mmpretrain: a path, or any address that
            mmengine's ``CheckpointLoader`` takes.
        out (str or Path): The file to write. Its folder is made.
        to (str): Whose names and layout the file has, one of
            :data:`FORMATS`. Defaults to 'mmdet'.
        force (bool): Whether to replace ``out`` if it exists.
            Defaults to False.

    Returns:
        ExtractedBackbone: What was written.

    Raises:
        FileExistsError: If ``out`` exists and ``force`` is not set.
        ValueError: If the checkpoint holds no backbone, or one with values
            that are not finite.
    """
    if to not in FORMATS:
        raise UserValueError(
            f'to={to!r}: expected one of {", ".join(FORMATS)}.'
        )
    out = Path(out)
    if out.exists() and not force:
        raise UserFileExistsError(
            f'{out} exists. Name another file, or replace it with --force.'
        )

    loaded = CheckpointLoader.load_checkpoint(
        str(checkpoint), map_location='cpu', logger='silent'
    )
    backbone = _query_backbone(
        state_dict_of(loaded, str(checkpoint)), str(checkpoint)
    )
    pixels = _pixel_convention(loaded.get('meta'))
    meta = dict(source=Path(checkpoint).name, format=to, **pixels)
    with atomic_write(out) as file:
        torch.save(dict(state_dict=backbone, meta=meta), file)
    return ExtractedBackbone(
        path=out,
        tensors=len(backbone),
        parameters=sum(
            value.numel()
            for name, value in backbone.items()
            if not name.endswith('num_batches_tracked')
        ),
        size=out.stat().st_size,
        sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        pixels=pixels,
    )


def _query_backbone(weights: dict, source: str) -> dict:
    """Take ``backbone.*`` (never the key encoder's) and check its values."""
    # Copies: a slice of a larger storage would be saved with all of it.
    backbone = {
        name.removeprefix(_PREFIX): value.clone()
        for name, value in weights.items()
        if name.startswith(_PREFIX)
    }
    if not backbone:
        found = Counter(name.split('.')[0] for name in weights)
        raise UserValueError(
            f'{source} holds no backbone: expected names that start with '
            f'{_PREFIX!r}, found '
            f'{", ".join(f"{top}.* ({n})" for top, n in found.items())}.'
        )
    broken = [
        name
        for name, value in backbone.items()
        if value.is_floating_point() and not value.isfinite().all()
    ]
    if broken:
        raise UserValueError(
            f'{source}: {len(broken)} of {len(backbone)} backbone tensors '
            f'hold NaN or infinity, {broken[0]} first. The training has '
            'diverged; take an earlier checkpoint.'
        )
    return backbone


def _pixel_convention(meta: object) -> dict:
    """Read mean, std and channel order from the text of the run's config.

    The text is parsed, never executed.
    """
    text = meta.get('cfg') if isinstance(meta, dict) else None
    try:
        tree = ast.parse(text) if isinstance(text, str) else None
    except SyntaxError:
        tree = None
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Assign):
            names = [getattr(target, 'id', None) for target in node.targets]
        elif isinstance(node, ast.keyword):
            names = [node.arg]
        else:
            continue
        if 'data_preprocessor' in names and isinstance(node.value, ast.Call):
            pixels = _pixel_arguments(node.value)
            if pixels:
                return pixels
    return {}


def _pixel_arguments(call: ast.Call) -> dict:
    """Take mean, std and channel order from the call of one config dict."""
    arguments = {}
    for keyword in call.keywords:
        try:
            arguments[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:  # a nested dict(): not what is looked for
            continue
    if not {'mean', 'std'} <= arguments.keys():
        return {}
    # mmengine and mmdet say bgr_to_rgb, mmpretrain to_rgb.
    to_rgb = arguments.get('to_rgb', arguments.get('bgr_to_rgb', False))
    return dict(
        mean=list(arguments['mean']),
        std=list(arguments['std']),
        channel_order='RGB' if to_rgb else 'BGR',
    )
