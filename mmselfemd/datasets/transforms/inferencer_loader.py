"""The loading of mmdet's ``DetInferencer``, by the settings of a config."""

from collections.abc import Sequence

import numpy as np
from mmdet.datasets.transforms import InferencerLoader
from mmdet.registry import TRANSFORMS as MMDET_TRANSFORMS

from mmselfemd.errors import UserValueError

from .load_detection_image import LoadDetectionImage


# mmdet asks for it by its own name.
@MMDET_TRANSFORMS.register_module(name='InferencerLoader', force=True)
class MappedInferencerLoader(InferencerLoader):
    """Reads files as :class:`LoadDetectionImage` does; takes arrays as mmdet.

    ``DetInferencer`` puts ``InferencerLoader`` in the place of what loads the
    images, with the same arguments. mmdet's hands them on to its loading of
    arrays too, which knows no ``value_range``.

    Args:
        value_range (tuple[float, float], optional): See :class:`LoadImage`.
            Defaults to None.
        bands (Sequence[int], optional): The same. Defaults to None.
        **kwargs: Other arguments of mmcv's ``LoadImageFromFile``.

    Raises:
        UserValueError: If ``value_range`` or ``bands`` is none.
    """

    def __init__(
        self,
        value_range: tuple[float, float] | None = None,
        bands: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.from_file = LoadDetectionImage(value_range, bands, **kwargs)

    def transform(self, results: str | np.ndarray | dict) -> dict:
        """Load an image.

        Args:
            results (str | np.ndarray | dict): A path, BGR of 8 bits, or a
                dict with ``img_path`` or ``img``.

        Returns:
            dict: With the image and its sizes.

        Raises:
            UserValueError: If it is an array, and ``value_range`` or
                ``bands`` is set: nobody knows what an array has gone
                through.
        """
        mapping = self.from_file.mapping
        is_array = isinstance(results, np.ndarray) or (
            isinstance(results, dict) and 'img' in results
        )
        if is_array and (mapping.value_range or mapping.bands):
            raise UserValueError(
                f'the detector was trained with {mapping}, and cannot tell '
                'what has become of an array: give the path of the file. Of '
                'arrays that are read by mmselfemd.datasets.pictures.'
                'ValueMapping(value_range, bands).read(content), take the '
                'settings out of the config: value_range = bands = None'
            )
        return super().transform(results)
