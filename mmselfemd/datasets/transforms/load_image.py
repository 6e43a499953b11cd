"""Decode an image, or say why not and go on."""

import logging
from functools import partial

from mmcv.transforms import BaseTransform
from mmengine.fileio import get
from mmengine.logging import print_log

from mmselfemd.registry import TRANSFORMS

from .encoded_image import (
    BrokenImageError,
    EncodedImage,
    decode_image,
    jpeg_size,
)


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode an image file; skip what does not decode.

    One broken file must not end a run of days. The dataset takes another
    image in its place (``BaseDataset.max_refetch``), and the log names it.
    mmcv's ``LoadImageFromFile(ignore_empty=True)`` skips without a word.

    Required key: ``img_path``. Added keys: ``img`` (BGR, uint8, (H, W, 3), or
    an :class:`EncodedImage`), ``img_shape``, ``ori_shape``.

    Args:
        max_warnings (int): Broken files named in the log by each worker;
            later ones are skipped in silence. Defaults to 10.
        backend_args (dict, optional): The file backend, see
            :func:`mmengine.fileio.get`. Defaults to None: the local disk.
        lazy (bool): Read no more than the header of a JPEG, and leave it to
            :class:`CutViews` to decode it at a scale at which its crops lose
            nothing. Defaults to False.
    """

    def __init__(
        self,
        max_warnings: int = 10,
        backend_args: dict | None = None,
        lazy: bool = False,
    ) -> None:
        self.max_warnings = max_warnings
        self.backend_args = backend_args
        self.lazy = lazy
        self.num_broken = 0

    def transform(self, results: dict) -> dict | None:
        """Decode ``results['img_path']``.

        Args:
            results (dict): With ``img_path``.

        Returns:
            dict | None: The same with the image, or None if it is broken.
        """
        path = results['img_path']
        try:
            content = get(path, backend_args=self.backend_args)
            size = jpeg_size(content)
            if self.lazy and size:
                image = EncodedImage(content, size, partial(self._warn, path))
            else:
                image = decode_image(content)
        except (OSError, BrokenImageError) as error:
            self._warn(path, str(error).strip())
            return None
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _warn(self, path: str, reason: str) -> None:
        self.num_broken += 1
        if self.num_broken > self.max_warnings:
            return
        last = (
            '; further ones are skipped in silence'
            if self.num_broken == self.max_warnings
            else ''
        )
        print_log(
            f'Skipped the image {path}: {reason}. Another one takes its place'
            f'{last}.',
            logger='current',
            level=logging.WARNING,
        )
