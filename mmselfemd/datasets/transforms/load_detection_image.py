"""mmdet's reading of an image, for all the pictures of pre-training."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS
from mmengine.fileio import get

from mmselfemd.datasets.broken_images import UnreadableImageError
from mmselfemd.datasets.pictures import ValueMapping
from mmselfemd.errors import UserValueError
from mmselfemd.registry import TRANSFORMS

from .encoded_image import BrokenImageError


# A name in mmdet's scope goes before the same one of mmcv's. Configs keep it:
# mmdet's DetInferencer looks for it in the pipeline.
@MMDET_TRANSFORMS.register_module(name='LoadImageFromFile', force=True)
@TRANSFORMS.register_module()
class LoadDetectionImage(LoadImageFromFile):
    """Read an image of any kind as :class:`LoadImage` does, for a detector.

    In mmdet's scope it is what ``LoadImageFromFile`` names, as soon as
    ``mmselfemd.datasets`` is imported: with the same keys, and the same
    pixels of JPEG, PNG of 8 bits and BMP, so that pre-training and
    fine-tuning see the same of the others. An image that cannot be read
    stops the run, since its boxes would be lost.

    Args:
        value_range (tuple[float, float], optional): See :class:`LoadImage`.
            Defaults to None.
        bands (Sequence[int], optional): The same. Defaults to None.
        **kwargs: Other arguments of mmcv's ``LoadImageFromFile``. With a
            ``color_type`` or ``imdecode_backend`` of another value than the
            default's, or the old ``file_client_args``, images are read by
            mmcv.

    Raises:
        UserValueError: If ``value_range`` or ``bands`` is none, or mmcv, which
            knows neither, is to read the images.
    """

    def __init__(
        self,
        value_range: tuple[float, float] | None = None,
        bands: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.mapping = ValueMapping(value_range, bands, 'LoadDetectionImage')
        self._is_mmcvs = (self.color_type, self.imdecode_backend) != (
            'color',
            'cv2',
        ) or self.file_client_args is not None
        if self._is_mmcvs and (value_range, bands) != (None, None):
            raise UserValueError(
                f'LoadDetectionImage: {self.mapping} would not be applied '
                'with a color_type, imdecode_backend or file_client_args of '
                'its own. Leave these out; bands of one number makes grey'
            )

    def transform(self, results: dict) -> dict | None:
        """Read ``results['img_path']``.

        Args:
            results (dict): With ``img_path``.

        Returns:
            dict | None: With ``img``, (H, W, 3), BGR, uint8 (or float32),
            ``img_shape`` and ``ori_shape``; None if it cannot be read and
            ``ignore_empty`` is set.

        Raises:
            UnreadableImageError: If it cannot be read.
        """
        if self._is_mmcvs:
            return super().transform(results)
        path = results['img_path']
        try:
            content = get(path, backend_args=self.backend_args)
            if content is None:  # what LmdbBackend gives
                raise BrokenImageError('there is no such key')
            image = self.mapping.read(content)
        except (OSError, BrokenImageError) as error:
            if self.ignore_empty:
                return None
            raise UnreadableImageError(
                f'{path} cannot be read: {error}'
            ) from error
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results
