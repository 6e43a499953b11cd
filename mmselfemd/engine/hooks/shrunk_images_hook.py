"""Keeps large images at less than their size, where a run has many."""

from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmselfemd.datasets import LoadImage
from mmselfemd.datasets.shrinking import BYTES_PER_PIXEL, shrunk_pixels
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.registry import HOOKS

#: How many images are looked at for their size.
NUM_LOOKED_AT = 16

# One in eight PNGs of 12 megapixels, 76 times as slow as a photograph of
# COCO, is enough to make the mean image ten times as slow.
_MIN_SHARE = 1 / 8


@HOOKS.register_module()
class ShrunkImagesHook(Hook):
    """Turns ``LoadImage(shrunk_dir=...)`` on for data sets of large images.

    Before training it looks at the headers of 16 images, always the same
    ones. Where two or more would be shrunk, all such images are, and are kept
    in a folder: see :class:`mmselfemd.datasets.shrunk_images.ShrunkImages`.
    Nothing happens to photographs of the size of COCO's, to images of a
    database, and where the config has a ``shrunk_dir`` itself. To train on
    the images as they are: ``default_hooks.shrunk_images=None``.

    Args:
        folder (str, optional): Where they are kept; runs may share it.
            Defaults to None: ``shrunk_images`` in the work directory.
        min_size (int): Pixels that the shorter side of a shrunk image keeps.
            Defaults to 1024.
    """

    # Ahead of whatever may start the workers, which get a copy of the data.
    priority = 'HIGH'

    def __init__(
        self, folder: str | None = None, min_size: int = 1024
    ) -> None:
        self.folder = folder
        self.min_size = min_size

    def before_train(self, runner: Runner) -> None:
        """Look at some images; say what will be kept where.

        Args:
            runner (Runner): The runner of the training process.
        """
        dataset = runner.train_dataloader.dataset
        while hasattr(dataset, 'dataset'):
            dataset = dataset.dataset
        pipeline = getattr(dataset, 'pipeline', None)
        load = next(iter(getattr(pipeline, 'transforms', ())), None)
        if not isinstance(load, LoadImage) or not load.lazy or load.shrunk:
            return
        if load.backend_args:  # a database must not be open when workers fork
            return
        pixels = self._look(load, dataset)
        num_large = sum(each > 0 for each in pixels)
        if num_large < max(_MIN_SHARE * len(pixels), 1):
            return
        folder = self.folder or str(Path(runner.work_dir) / 'shrunk_images')
        load.keep_shrunk(folder, self.min_size)
        gigabytes = (
            sum(pixels) / len(pixels) * len(dataset) * BYTES_PER_PIXEL / 1e9
        )
        runner.logger.info(
            f'Large images: {num_large} of {len(pixels)} looked at. They are '
            f'read at their size once, and kept smaller in {folder}: about '
            f'{gigabytes:.1f} GB in all. default_hooks.shrunk_images.folder '
            'is another place, default_hooks.shrunk_images=None turns it off.'
        )

    def _look(self, load: LoadImage, dataset: BaseDataset) -> list[int]:
        """Pixels that some images would have; 0 for those left alone."""
        count = min(NUM_LOOKED_AT, len(dataset))
        numbers = [k * len(dataset) // count for k in range(count)]
        pixels = []
        for path in (dataset.get_data_info(n)['img_path'] for n in numbers):
            try:
                content = load.read(path)
                pixels.append(shrunk_pixels(content, self.min_size))
            except (OSError, BrokenImageError):  # the run will say so
                pixels.append(0)
        return pixels
