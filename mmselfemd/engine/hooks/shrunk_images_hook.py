"""Keeps large images at less than their size, where a run has many."""

from pathlib import Path

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from mmselfemd.datasets import CutViews, LoadImage
from mmselfemd.datasets.seeded_data_loader import SeededDataLoader
from mmselfemd.datasets.shrinking import shrink
from mmselfemd.datasets.shrunk_images import room_in
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.engine.processes import decided_by_first
from mmselfemd.registry import HOOKS

#: How many images are looked at for their size.
NUM_LOOKED_AT = 16

# One in eight PNGs of 12 megapixels, 76 times as slow as a photograph of
# COCO, is enough to make the mean image ten times as slow.
_MIN_SHARE = 1 / 8

_KEY = 'shrunk_images'
_OPTIONS = (
    'default_hooks.shrunk_images.folder is another place, '
    'default_hooks.shrunk_images=None turns it off'
)


@HOOKS.register_module()
class ShrunkImagesHook(Hook):
    """Turns ``LoadImage(shrunk_dir=...)`` on for data sets of large images.

    Before the first step it reads 16 images, always the same ones. Where an
    eighth of them would be shrunk, all such images are, and are kept in a
    folder: see :class:`mmselfemd.datasets.shrunk_images.ShrunkImages`. A
    resumed run goes on as it began. To train on the images as they are:
    ``default_hooks.shrunk_images=None``.

    Nothing happens to photographs of the size of COCO's; where the copies do
    not fit on the disk, which is a warning; to images of a database or a
    server; to images that are not decoded lazily, or of a data set that is
    not a single one; in mmengine's own ``IterBasedTrainLoop``, whose workers
    have started by then; and where the config has a ``shrunk_dir`` itself.

    Args:
        folder (str, optional): Where they are kept; runs may share it.
            Defaults to None: ``shrunk_images`` in the work directory.
        min_size (int, optional): Pixels that the shorter side of a shrunk
            image keeps. Defaults to None: as many as give the smallest crop
            the pixels of its view, see :attr:`CutViews.least_side`.
    """

    # Ahead of other hooks that may read the data.
    priority = 'HIGH'

    def __init__(
        self, folder: str | None = None, min_size: int | None = None
    ) -> None:
        self.folder = folder
        self.min_size = min_size

    def before_train(self, runner: Runner) -> None:
        """Look at some images; say what will be kept where.

        Raises:
            Exception: See :func:`decided_by_first`.
        """
        dataset = _dataset_of(runner)
        if dataset is None:
            return
        load, *others = dataset.pipeline.transforms
        min_size = self.min_size or _least_side(others)
        if min_size is None:
            return
        hub, folder = runner.message_hub, self._folder(runner)
        if runner.iter == 0:
            is_on = decided_by_first(
                _decide, runner, dataset, min_size, folder
            )
            hub.update_info(_KEY, min_size if is_on else 0)
        if min_size := hub.get_info(_KEY, 0):
            load.keep_shrunk(folder, min_size)
            if runner.iter > 0:
                runner.logger.info(
                    f'Large images: read at less, and kept in {folder}, as '
                    'before.'
                )

    def _folder(self, runner: Runner) -> str:
        return self.folder or str(Path(runner.work_dir) / 'shrunk_images')


def _decide(
    runner: Runner, dataset: BaseDataset, min_size: int, folder: str
) -> bool:
    """Whether there are many, and room for their copies."""
    sizes = _look(dataset, min_size)
    num_large = sum(each > 0 for each in sizes)
    if num_large < max(_MIN_SHARE * len(sizes), 1):
        return False
    needed = sum(sizes) / len(sizes) * len(dataset)
    room = room_in(folder)
    found = f'Large images: {num_large} of {len(sizes)} looked at.'
    if needed > room:
        runner.logger.warning(
            f'{found} Reading one may take ten times as long as one of COCO. '
            f'Smaller copies would take about {needed / 1e9:.1f} GB, and '
            f'{folder} has {room / 1e9:.1f} GB to spare: the images are read '
            f'as they are. {_OPTIONS}, and this warning.'
        )
        return False
    runner.logger.info(
        f'{found} They are read at their size once, which makes the first '
        f'epoch the slowest, and kept smaller in {folder}: about '
        f'{needed / 1e9:.1f} GB in all, which may go when the run is over. '
        f'{_OPTIONS}.'
    )
    return True


def _dataset_of(runner: Runner) -> BaseDataset | None:
    """The data of a run, if its images can be shrunk from now on."""
    loader = runner.train_dataloader
    workers_wait = isinstance(runner.train_loop, EpochBasedTrainLoop)
    if not workers_wait and not isinstance(loader, SeededDataLoader):
        return None
    dataset = loader.dataset
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    if not isinstance(dataset, BaseDataset) or not len(dataset):
        return None
    load = next(iter(dataset.pipeline.transforms), None)
    if not isinstance(load, LoadImage) or not load.lazy or load.shrunk:
        return None
    # A database or a connection must not be open when workers fork.
    path = dataset.get_data_info(0).get('img_path', '')
    return None if load.backend_args or '://' in path else dataset


def _least_side(transforms: list) -> int | None:
    return next(
        (each.least_side for each in transforms if isinstance(each, CutViews)),
        None,
    )


def _look(dataset: BaseDataset, min_size: int) -> list[int]:
    """Bytes that some images would take; 0 for those left alone."""
    load = dataset.pipeline.transforms[0]
    count = min(NUM_LOOKED_AT, len(dataset))
    numbers = [k * len(dataset) // count for k in range(count)]
    sizes = []
    for path in (dataset.get_data_info(n)['img_path'] for n in numbers):
        try:
            content, reduction = shrink(
                load.read(path), min_size, mapping=load.mapping
            )
        except (OSError, BrokenImageError):  # the run will say so
            reduction = 1
        sizes.append(len(content) if reduction > 1 else 0)
    return sizes
