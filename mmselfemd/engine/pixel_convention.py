"""Whether a detector feeds a backbone the pixels that it was trained on.

A network that learnt on RGB with mean and standard deviation and is given BGR
from 0 to 255 trains all the same, and ends some points lower without a word.
So a file of weights may say what it expects, under
``meta['pixel_convention']``::

    dict(channel_order='RGB', mean=[123.675, 116.28, 103.53],
         std=[58.395, 57.12, 57.375])

in the order of the channels, for values from 0 to 255.
"""

from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor
from torch import nn

from mmselfemd.errors import UserValueError

#: How far mean and std may be from each other: published ones are rounded.
TOLERANCE = 0.5


def check_pixel_convention(
    checkpoint: Any, preprocessor: nn.Module, source: str
) -> None:
    """Raise if a detector's preprocessing is not what its weights expect.

    Args:
        checkpoint (Any): What was loaded. Where it does not say what it
            expects, nothing is checked.
        preprocessor (nn.Module): The detector's ``data_preprocessor``, built.
            It gets images as mmdet's pipelines load them: in BGR.
        source (str): Where the weights came from, for the message.

    Raises:
        ValueError: If the order of channels, mean or std differ.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    expected = meta.get('pixel_convention') if isinstance(meta, dict) else None
    if expected is None or not isinstance(preprocessor, ImgDataPreprocessor):
        return
    given = _convention_of(preprocessor)
    if given['channel_order'] == expected['channel_order'] and all(
        torch.allclose(
            torch.tensor(given[name]),
            torch.tensor(expected[name], dtype=torch.float),
            rtol=0,
            atol=TOLERANCE,
        )
        for name in ('mean', 'std')
    ):
        return
    raise UserValueError(
        f'pretrained={source!r} was trained on {_describe(expected)}, but '
        f'the detector would be given {_describe(given)}. Set in the config '
        'model.data_preprocessor='
        f'dict(mean={list(expected["mean"])}, std={list(expected["std"])}, '
        f'bgr_to_rgb={expected["channel_order"] == "RGB"}).'
    )


def _convention_of(preprocessor: ImgDataPreprocessor) -> dict:
    """Read what a built preprocessor makes of an image loaded as BGR."""
    swaps = preprocessor._channel_conversion
    mean, std = [0.0] * 3, [1.0] * 3
    if preprocessor._enable_normalize:
        mean = preprocessor.mean.flatten().tolist()
        std = preprocessor.std.flatten().tolist()
    return dict(channel_order='RGB' if swaps else 'BGR', mean=mean, std=std)


def _describe(convention: dict) -> str:
    mean, std = (
        [round(float(value), 3) for value in convention[name]]
        for name in ('mean', 'std')
    )
    return f'{convention["channel_order"]}, mean {mean}, std {std}'
