"""From a pre-training checkpoint to a backbone that a detector loads."""

import hashlib
import io
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmselfemd.atomic_file import atomic_write
from mmselfemd.errors import UserValueError

from .architecture import infer_architecture
from .hub import FOLDERS, hub_files, write_folder
from .key_rules import LAYOUTS
from .loading import check_finite, state_dict_of
from .pixels import read_convention
from .pretraining import read_pretraining
from .safetensors_file import safetensors_bytes
from .saving import check_replaceable

__all__ = ['FORMATS', 'ExtractedBackbone', 'extract_backbone']

#: What a backbone can be written for.
FORMATS = (
    *('mmdet', 'mmpretrain', 'torchvision', 'timm', 'detectron2'),
    *FOLDERS,
)

_PREFIX = 'backbone.'


class ExtractedBackbone(NamedTuple):
    """What :func:`extract_backbone` wrote.

    Attributes:
        path (Path): The file, or the folder.
        tensors (int): The number of tensors, buffers included.
        parameters (int): The number of values in them, without the batch
            counters of batch norm.
        size (int): The size of the weights' file in bytes.
        sha256 (str): Its SHA-256, in hexadecimal.
        pixels (dict): The ``channel_order``, ``mean`` and ``std`` of the
            images that the backbone was trained on; empty where the
            checkpoint does not record them.
        mapped (dict[str, str]): The checkpoint's names and those written.
        left (list[str]): The checkpoint's names that are no part of the
            query backbone: neck, head, key encoder.
        notes (list[str]): What the user should know.
    """

    path: Path
    tensors: int
    parameters: int
    size: int
    sha256: str
    pixels: dict
    mapped: dict[str, str]
    left: list[str]
    notes: list[str]


def extract_backbone(
    checkpoint: str | Path,
    out: str | Path,
    to: str = 'mmdet',
    force: bool = False,
) -> ExtractedBackbone:
    """Write the query backbone of a pre-training checkpoint to its own file.

    The file holds tensors, strings and numbers alone, and what the tensors
    do not tell (:mod:`mmselfemd.zoo.pixels`: the pixels, the strides) where
    the layout has a place for it, and which pre-training it is from
    (:mod:`mmselfemd.zoo.pretraining`). The layouts:

    - ``mmdet``: the backbone's own names (``conv1.weight``);
      ``init_cfg=dict(type='Pretrained', checkpoint=out)`` on the detector's
      backbone loads it, without this package. (A MobileNetV2 fits
      ``mmpretrain.MobileNetV2``, which our detectors have.)
    - ``mmpretrain``: the same names after ``backbone.``.
    - ``torchvision`` and ``timm``: a bare state dict, for
      ``load_state_dict``; it has no place for the pixels. (Their networks
      have one width; a note says where this one has another.)
    - ``detectron2``: names and wrapping of its model zoo, for
      ``MODEL.WEIGHTS``.
    - ``transformers`` and ``hub``: a folder (:mod:`mmselfemd.zoo.hub`) of
      weights in the format of safetensors, a config and a card, which
      transformers and timm read; the latter's names are torchvision's, too.

    Args:
        checkpoint (str or Path): A checkpoint of SelfEMD or of another
            self-supervised method of mmpretrain, or a backbone that this
            package wrote: a path, or any address that mmengine's
            ``CheckpointLoader`` takes.
        out (str or Path): The file to write, in the format of safetensors
            where it ends so; or the folder. What it lies in is made.
        to (str): Whose names and layout the file has, one of
            :data:`FORMATS`. Defaults to 'mmdet'.
        force (bool): Whether to replace ``out`` if it exists.
            Defaults to False.

    Returns:
        ExtractedBackbone: What was written.

    Raises:
        FileExistsError: If ``out`` exists and ``force`` is not set.
        ValueError: If the checkpoint holds no backbone, or one with values
            that are not finite, or one that the project ``to`` does not have,
            or not with these strides.
    """
    if to not in FORMATS:
        raise UserValueError(
            f'to={to!r}: expected one of {", ".join(FORMATS)}.'
        )
    out, source = Path(out), str(checkpoint)
    check_replaceable(out, force)
    loaded = CheckpointLoader.load_checkpoint(
        source, map_location='cpu', logger='silent'
    )
    weights = state_dict_of(loaded, source)
    recorded = loaded.get('meta')
    prefix = _prefix_of(weights, recorded)
    backbone = _query_backbone(weights, prefix, source)
    convention = read_convention(recorded, source)
    meta = dict(source=Path(source).name, format=to, **convention)
    if pretraining := read_pretraining(recorded):
        meta['pretraining'] = pretraining
    renamed = _rename(backbone, to, convention, source)
    content = _write(out, to, backbone, renamed, meta)
    return ExtractedBackbone(
        path=out,
        tensors=len(backbone),
        parameters=_num_parameters(backbone),
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        pixels=convention.get('pixel_convention', {}),
        mapped={
            prefix + old: new
            for old, new in zip(backbone, renamed, strict=True)
        },
        left=[name for name in weights if not name.startswith(prefix)],
        notes=_notes(backbone, to, source),
    )


def _write(
    out: Path,
    to: str,
    backbone: dict[str, Tensor],
    renamed: dict[str, Tensor],
    meta: dict,
) -> bytes:
    """Write the file or the folder, and return the content of the weights."""
    is_folder = to in FOLDERS
    files = hub_files(to, backbone, meta, out.name) if is_folder else {}
    # Copies: a slice of a larger storage would be saved with all of it. The
    # last step, since only now are names and shapes known to fit.
    copied = {name: value.clone() for name, value in renamed.items()}
    is_safe = is_folder or out.suffix == '.safetensors'
    content = _serialised(copied, meta, to, is_safe)
    if is_folder:
        write_folder(out, files, content)
    else:
        with atomic_write(out) as file:
            file.write(content)
    return content


def _rename(
    backbone: dict[str, Tensor], to: str, convention: dict, source: str
) -> dict[str, Tensor]:
    """Give the tensors the names that they have in the project ``to``."""
    if to == 'mmdet':
        return backbone
    if to == 'mmpretrain':
        return {_PREFIX + name: value for name, value in backbone.items()}
    kind = infer_architecture(backbone, source)['type']
    layout = 'timm' if to == 'hub' else to
    if kind not in LAYOUTS[layout].networks:
        raise UserValueError(
            f'{source} is a {kind}: there is no table of its names in {to}. '
            f'Known there are {", ".join(LAYOUTS[layout].networks)}.'
        )
    _check_layout(convention, to, source)
    names = LAYOUTS[layout].theirs(backbone)
    renamed = {names[name]: value for name, value in backbone.items()}
    if len(renamed) < len(backbone):
        raise UserValueError(
            f'{source} has tensors whose names in {to} are the same.'
        )
    return renamed


def _check_layout(convention: dict, to: str, source: str) -> None:
    """Raise if the networks of ``to`` have their strides elsewhere."""
    # Both have the place of the stride as a setting.
    if convention.get('style') == 'caffe' and to not in (
        'detectron2',
        'transformers',
    ):
        raise UserValueError(
            f'{source} has the stride in the first 1x1 convolution '
            f"(style='caffe'), and {to}'s networks in the 3x3: they would "
            'compute something else with it.'
        )
    strides = convention.get('strides', [1, 2, 2, 2])
    dilations = convention.get('dilations', [1, 1, 1, 1])
    if (strides, dilations) != ([1, 2, 2, 2], [1, 1, 1, 1]):
        raise UserValueError(
            f'{source} has strides={strides} and dilations={dilations} in '
            f"its stages, and {to}'s networks strides=[1, 2, 2, 2] and no "
            'dilation: they would compute something else with it. The '
            'layouts mmdet and mmpretrain have both as settings.'
        )


def _notes(backbone: dict[str, Tensor], to: str, source: str) -> list[str]:
    """Say where the networks of ``to`` have one width, and this another."""
    if to not in ('torchvision', 'timm', 'detectron2'):
        return []
    network = infer_architecture(backbone, source)
    # Detectron2 has the widths of bottlenecks as settings.
    is_set = to == 'detectron2' and network.get('depth', 0) >= 50
    widths = network.get('stem_channels', 64), network.get('base_channels', 64)
    if is_set or widths == (64, 64):
        return []
    return [
        f"{to}'s {network['type']}-{network['depth']} has 64 channels at its "
        f'beginning and in its first stage, and this one {widths[0]} and '
        f'{widths[1]}: it does not load the file. --to transformers, mmdet '
        'and mmpretrain have networks of any width.'
    ]


def _serialised(
    weights: dict[str, Tensor], meta: dict, to: str, safetensors: bool
) -> bytes:
    """Lay the weights out as the project reads them."""
    if safetensors:
        return safetensors_bytes(weights, meta)
    if to in ('torchvision', 'timm'):
        content = weights
    elif to == 'detectron2':
        # What detectron2/checkpoint/detection_checkpoint.py looks for.
        content = dict(
            model=weights,
            __author__='mmselfemd',
            matching_heuristics=True,
            meta=meta,
        )
    else:
        content = dict(state_dict=weights, meta=meta)
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _prefix_of(weights: dict[str, Tensor], meta: object) -> str:
    """What the backbone's names start with: nothing if it is all there is."""
    is_ours = isinstance(meta, dict) and 'pixel_convention' in meta
    is_prefixed = any(name.startswith(_PREFIX) for name in weights)
    return '' if is_ours and not is_prefixed else _PREFIX


def _num_parameters(backbone: dict[str, Tensor]) -> int:
    return sum(
        value.numel()
        for name, value in backbone.items()
        if not name.endswith('num_batches_tracked')
    )


def _query_backbone(
    weights: dict[str, Tensor], prefix: str, source: str
) -> dict[str, Tensor]:
    """Take ``backbone.*`` (never the key encoder's) and check its values."""
    backbone = {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }
    if not backbone:
        found = Counter(name.split('.')[0] for name in weights)
        raise UserValueError(
            f'{source} holds no backbone: expected names that start with '
            f'{_PREFIX!r}, found '
            f'{", ".join(f"{top}.* ({n})" for top, n in found.items())}.'
        )
    check_finite(backbone, source)
    return backbone
