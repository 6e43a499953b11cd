"""Colours are changed on the device, as was drawn on the host."""

from collections.abc import Callable, Mapping, Sequence

import torch
from mmpretrain.models import SelfSupDataPreprocessor
from torch import Tensor

from mmselfemd.registry import MODELS

from .photometric import (
    adjust_hue,
    blend_with_grey,
    gaussian_blur,
    solarise,
)

# Shares of a pixel's own luminance and of the image's mean in the grey that
# an image is blended with.
_GREY_OF = dict(brightness=(0, 0), contrast=(0, 1), saturation=(1, 0))
_NO_BLEND = (1, 0, 0)


@MODELS.register_module()
class PhotometricPreprocessor(SelfSupDataPreprocessor):
    """Change the colours of views on the device, then normalise them.

    What is done to a view was drawn on the host by
    :class:`mmselfemd.datasets.DrawPhotometric` and lies in
    ``data_sample.views[number]['photometric']``. A view without it is only
    normalised, so that one whose colours were changed on the host will do.
    Nothing is drawn here: views are the same on any device.

    The changes need RGB: set ``to_rgb=True`` for the BGR of ``LoadImage``.
    They are made in float32, under autocast too, and nothing is rounded.

    Args:
        *args: Arguments of mmpretrain's ``SelfSupDataPreprocessor``.
        **kwargs: The same.
    """

    # Other changes with every batch: compiled, they would be compiled anew.
    @torch.compiler.disable
    @torch.no_grad()
    def forward(self, data: dict, training: bool = False) -> dict:
        """Make a batch ready for the network.

        Args:
            data (dict): ``inputs``, for each view uint8 (B, 3, H, W), and
                ``data_samples``, B of them.
            training (bool): Makes no difference. Defaults to False.

        Returns:
            dict: The same, ``inputs`` being float32.
        """
        if not isinstance(data['inputs'], Sequence):
            return super().forward(data, training)
        data = self.cast_data(data)
        samples = data['data_samples']
        # mmengine calls a preprocessor inside its autocast.
        with torch.autocast(self.device.type, enabled=False):
            inputs = [
                self._prepare(images, _changes_of(samples, number))
                for number, images in enumerate(data['inputs'])
            ]
        return dict(inputs=inputs, data_samples=samples)

    def _prepare(self, images: Tensor, changes: Sequence[Mapping]) -> Tensor:
        if self._channel_conversion:
            images = images.flip(1)
        # A copy, float already or not: the batch stays as it was.
        images = change_colours(images.to(torch.float, copy=True), changes)
        if self._enable_normalize:
            images = (images - self.mean) / self.std
        return images


def _changes_of(samples: Sequence | None, number: int) -> list[Mapping]:
    """What was drawn for a view of each image."""
    return [
        sample.views[number].get('photometric', {})
        if 'views' in sample
        else {}
        for sample in samples or ()
    ]


def change_colours(images: Tensor, changes: Sequence[Mapping]) -> Tensor:
    """Change the colours of each image of a batch in its own way.

    Args:
        images (Tensor): RGB, float (B, 3, H, W), in [0, 255]; may be
            overwritten.
        changes (Sequence[Mapping]): For each image what
            :class:`mmselfemd.datasets.DrawPhotometric` drew; a key that is
            missing changes nothing.

    Returns:
        Tensor: Changed images, (B, 3, H, W).
    """
    images = _jitter(images, [each.get('jitter', ()) for each in changes])
    images = _change_some(images, changes, 'grey', _to_grey)
    images = _change_some(images, changes, 'blur', _blur)
    return _change_some(images, changes, 'solarise', solarise)


def _jitter(
    images: Tensor, jitters: Sequence[Sequence[tuple[str, float]]]
) -> Tensor:
    """Each image's operations in its own order, step by step."""
    for step in range(max(map(len, jitters), default=0)):
        current = [dict(jitter[step : step + 1]) for jitter in jitters]
        blends = [
            next(
                (
                    (factor, *_GREY_OF[name])
                    for name, factor in operation.items()
                    if name in _GREY_OF
                ),
                _NO_BLEND,
            )
            for operation in current
        ]
        table = _on_device(blends, images.device)
        images = blend_with_grey(images, *table.unbind(1))
        images = _change_some(images, current, 'hue', adjust_hue)
    return images


def _change_some(
    images: Tensor,
    changes: Sequence[Mapping],
    name: str,
    change: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Change those images for which a value of that name was drawn."""
    rows = [row for row, each in enumerate(changes) if name in each]
    if not rows:
        return images
    values = [changes[row][name] for row in rows]
    values = _on_device(values, images.device)
    if len(rows) == len(images):
        return change(images, values)
    rows = _on_device(rows, images.device, torch.long)
    return images.index_copy_(0, rows, change(images[rows], values))


def _on_device(
    values: Sequence, device: torch.device, dtype: torch.dtype = torch.float
) -> Tensor:
    """Hand numbers over without waiting for the device."""
    tensor = torch.tensor(values, dtype=dtype)
    if device.type == 'cuda':
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def _to_grey(images: Tensor, strengths: Tensor) -> Tensor:
    ones = torch.ones_like(strengths)
    return blend_with_grey(images, 1 - strengths, ones, 0 * ones)


def _blur(images: Tensor, sigmas: Tensor) -> Tensor:
    # A kernel of about a tenth of the view, as in BYOL: 23 pixels at 224.
    return gaussian_blur(images, sigmas, max(1, min(images.shape[2:]) // 20))
