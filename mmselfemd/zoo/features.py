"""The maps of a backbone, for analyses of one's own."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.errors import (
    UserFileNotFoundError,
    UserValueError,
)

from .architecture import build_backbone, infer_architecture, tensors_of
from .loading import state_dict_of
from .pixels import CONVENTIONS, IMAGE_VALUES, LAYOUT, read_convention

__all__ = ['extract_features']

_PREFIX = 'backbone.'


def extract_features(
    images: Iterable[str | Path | np.ndarray],
    checkpoint: str | Path,
    device: str | torch.device = 'cpu',
) -> Iterator[dict[str, Tensor]]:
    """Give the C2-C5 maps of a backbone for one image after another.

    The network is read from the names and shapes of the file's tensors; the
    order of channels, mean and std, strides and dilations of the stages, and
    whether the stride is in the 3x3 or the 1x1 convolution, from what the
    file records. It runs in evaluation mode, image by image, as large as they
    are, neither resized nor padded.

    Args:
        images (Iterable[str or Path or np.ndarray]): Paths of image files, or
            images as RGB of shape (H, W, 3) and type uint8, which may differ
            in size; or a batch of such, one array of shape (N, H, W, 3).
        checkpoint (str or Path): A file that ``extract_backbone.py`` or
            ``import_backbone.py`` wrote, a checkpoint of a pre-training or of
            a detector, ``mmselfemd://NAME``, or ``torchvision://NAME``.
        device (str or torch.device): Where the network runs.
            Defaults to 'cpu'.

    Returns:
        Iterator[dict[str, Tensor]]: For each image its maps ``C2``, ``C3``,
        ``C4`` and ``C5``, of strides 4, 8, 16 and 32 unless the file records
        others: float32 of shape (C, H / stride, W / stride), rounded up, on
        ``device``. An image is read when its maps are asked for.

    Raises:
        UserError: If the checkpoint has no backbone of a known architecture,
            or does not say which pixels it expects; on the way, if an image
            cannot be read, or is of another shape or type.

    Example:
        >>> from mmselfemd import extract_features
        >>> for maps in extract_features(['a.jpg', 'b.jpg'], 'backbone.pth'):
        ...     print(maps['C5'].shape)
    """
    if isinstance(images, (str, Path)):
        raise UserValueError(
            f'images={str(images)!r}: expected a list of images, such as '
            f'[{str(images)!r}].'
        )
    backbone, recorded = _load_backbone(str(checkpoint))
    return _maps(images, backbone.to(device), recorded)


def _load_backbone(checkpoint: str) -> tuple[nn.Module, dict]:
    """Build a file's network, and read which pixels it expects."""
    loaded = CheckpointLoader.load_checkpoint(
        checkpoint, map_location='cpu', logger='silent'
    )
    weights = state_dict_of(loaded, checkpoint)
    if any(name.startswith(_PREFIX) for name in weights):
        weights = {
            name.removeprefix(_PREFIX): value
            for name, value in weights.items()
            if name.startswith(_PREFIX)
        }
    recorded = read_convention(loaded.get('meta'), checkpoint)
    if checkpoint.startswith('torchvision://'):
        recorded = CONVENTIONS['torchvision']
    if 'pixel_convention' not in recorded:
        raise UserValueError(
            f'{checkpoint} does not say which pixels it was trained on, and '
            'other pixels give other features. Let '
            'tools/model_converters/import_backbone.py write it into a file.'
        )
    architecture = infer_architecture(weights, checkpoint)
    layout = {name: recorded[name] for name in LAYOUT if name in recorded}
    backbone = build_backbone(architecture, **layout)
    # Not strict: older files lack BN's batch counters.
    found = [name for name in tensors_of(architecture) if name in weights]
    backbone.load_state_dict(
        {name: weights[name] for name in found}, strict=False
    )
    backbone.eval()  # mmdet's return nothing
    return backbone, recorded


def _maps(
    images: Iterable[str | Path | np.ndarray],
    backbone: nn.Module,
    recorded: dict,
) -> Iterator[dict[str, Tensor]]:
    device = next(backbone.parameters()).device
    pixels = recorded['pixel_convention']
    settings = [name for name in IMAGE_VALUES if name in recorded]
    mean, std = (
        torch.tensor(pixels[name], device=device).view(3, 1, 1)
        for name in ('mean', 'std')
    )
    for index, image in enumerate(images):
        rgb = (
            torch.from_numpy(_read(image, index, settings))
            .to(device)
            .permute(2, 0, 1)
        )
        ordered = rgb if pixels['channel_order'] == 'RGB' else rgb.flip(0)
        with torch.no_grad():
            outputs = backbone(((ordered - mean) / std)[None])
        yield {
            f'C{level}': output[0]
            for level, output in enumerate(outputs, start=2)
        }


def _read(
    image: str | Path | np.ndarray, index: int, settings: Sequence[str]
) -> np.ndarray:
    """Read an image as RGB of shape (H, W, 3)."""
    if isinstance(image, (str, Path)) and settings:
        raise UserValueError(
            f'{image}: the backbone was trained with {" and ".join(settings)} '
            'set, which files are not read by here. Give images as arrays, '
            'e.g. mmselfemd.datasets.pictures.ValueMapping(value_range=..., '
            'bands=...).read(content)[..., ::-1].'
        )
    if isinstance(image, (str, Path)):
        if not os.path.isfile(image):
            raise UserFileNotFoundError(f'{image}: there is no such image.')
        try:
            bgr = ValueMapping().read(Path(image).read_bytes())
        except BrokenImageError as error:
            raise UserValueError(
                f'{image} cannot be read: {error}.'
            ) from error
        return np.ascontiguousarray(bgr[..., ::-1])
    if not (
        isinstance(image, np.ndarray)
        and image.ndim == 3
        and image.shape[2] == 3
        and image.dtype == np.uint8
    ):
        found = (
            f'{image.dtype} of shape {image.shape}'
            if isinstance(image, np.ndarray)
            else type(image).__name__
        )
        raise UserValueError(
            f'images[{index}] is {found}: expected a path, or RGB as uint8 '
            'of shape (H, W, 3).'
        )
    return np.ascontiguousarray(image)
