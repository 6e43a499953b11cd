"""Decode an image, or say why not and go on."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.fileio import get

from mmselfemd.datasets.broken_images import BrokenImages
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.datasets.shrunk_images import ShrunkImages
from mmselfemd.errors import UserValueError
from mmselfemd.registry import TRANSFORMS

from .encoded_image import (
    BrokenImageError,
    EncodedImage,
    jpeg_size,
)


@TRANSFORMS.register_module()
class LoadImage(BaseTransform):
    """Decode an image file of any kind; skip what does not decode.

    See :func:`mmselfemd.datasets.pictures.open_picture` for the kinds, and
    :class:`mmselfemd.datasets.pictures.ValueMapping` for what becomes of
    other values than those of 8 bits, and of other bands than colours. The
    config's ``value_range`` and ``bands`` are put in here.

    One broken file must not end a run of days. The dataset takes another
    image in its place (``BaseDataset.max_refetch``), and the log names it;
    when too many are broken, the run stops: see :class:`BrokenImages`. mmcv's
    ``LoadImageFromFile(ignore_empty=True)`` skips without a word.

    Required key: ``img_path``. Added keys: ``img`` (BGR, uint8, (H, W, 3), or
    an :class:`EncodedImage`), ``img_shape``, ``ori_shape``.

    Args:
        max_warnings (int): Broken files named in the log by each worker;
            later ones are skipped in silence. Defaults to 10.
        backend_args (dict, optional): The file backend, see
            :func:`mmengine.fileio.get`, such as
            ``dict(backend='lmdb', db_path=DIR)``; ``img_path`` is then the
            key. Defaults to None: the local disk.
        lazy (bool): Read no more than the header of a JPEG, and leave it to
            :class:`CutViews` to decode it at a scale at which its crops lose
            nothing. Defaults to False.
        max_broken_share (float): The run stops when more than this share of
            the images is broken; 1 never stops it. Each worker counts for
            itself, from 100 images on. Defaults to 0.1.
        shrunk_dir (str, optional): Folder in which large images are kept at
            less than their size, and read from then on, see
            :class:`ShrunkImages`; with ``lazy`` only. Boxes of views are
            still in pixels of the image itself. Defaults to None: each image
            is read as it is, unless :class:`ShrunkImagesHook` finds that many
            are large.
        shrunk_size (int): Pixels that the shorter side of a shrunk image
            keeps. Defaults to 1024.
        value_range (tuple[float, float], optional): The values that become
            black and white, of pictures of more than 8 bits. Defaults to
            None: the least and the largest that the file can hold.
        bands (Sequence[int], optional): Numbers, from 0, of the bands that
            become red, green and blue, or of the one that becomes grey.
            Defaults to None: what the file says are colours.

    Raises:
        UserValueError: If ``max_broken_share`` is not in [0, 1],
            ``shrunk_size`` not positive, ``shrunk_dir`` without ``lazy``, or
            ``value_range`` or ``bands`` none.
    """

    def __init__(
        self,
        max_warnings: int = 10,
        backend_args: dict | None = None,
        lazy: bool = False,
        max_broken_share: float = 0.1,
        shrunk_dir: str | None = None,
        shrunk_size: int = 1024,
        value_range: tuple[float, float] | None = None,
        bands: Sequence[int] | None = None,
    ) -> None:
        self.mapping = ValueMapping(value_range, bands)
        self.backend_args = backend_args
        self.lazy = lazy
        self.shrunk: ShrunkImages | None = None
        if shrunk_dir is not None:
            self.keep_shrunk(shrunk_dir, shrunk_size)
        self.broken = BrokenImages(max_warnings, max_broken_share)

    def keep_shrunk(self, folder: str, min_size: int = 1024) -> None:
        """Read large images at less than their size from now on.

        Args:
            folder (str): See ``shrunk_dir`` above.
            min_size (int): See ``shrunk_size``. Defaults to 1024.

        Raises:
            UserValueError: If ``min_size`` is not positive, or the images are
                not decoded lazily.
        """
        if not self.lazy:
            raise UserValueError(
                f'LoadImage: shrunk_dir={folder!r} needs lazy=True'
            )
        self.shrunk = ShrunkImages(folder, min_size, self.mapping)

    def transform(self, results: dict) -> dict | None:
        """Decode ``results['img_path']``.

        Args:
            results (dict): With ``img_path``.

        Returns:
            dict | None: The same with the image, or None if it is broken.

        Raises:
            TooManyBrokenImagesError: If too many are broken.
        """
        self.broken.num_read += 1
        path = results['img_path']
        try:
            image = self._load(path)
        except (OSError, BrokenImageError) as error:
            self.broken.add(path, str(error).strip())
            return None
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _load(self, path: str) -> np.ndarray | EncodedImage:
        content, reduction = (
            self.shrunk.read(path, partial(self.read, path))
            if self.shrunk
            else (self.read(path), 1)
        )
        size = jpeg_size(content)
        keeps = reduction > 1 or self.mapping.keeps_colours
        if not (self.lazy and size and keeps):
            return self.mapping.read(content)
        height, width = (reduction * side for side in size)
        report = partial(self.broken.add, path)
        return EncodedImage(content, (height, width), report, reduction)

    def read(self, path: str) -> bytes:
        """Read a file, of whatever kind.

        Args:
            path (str): Its path, or its key.

        Returns:
            bytes: The file.

        Raises:
            OSError: If it cannot be read.
            BrokenImageError: If the database has no such key.
        """
        content = get(path, backend_args=self.backend_args)
        if content is None:  # what LmdbBackend gives
            raise BrokenImageError('there is no such key')
        return content
