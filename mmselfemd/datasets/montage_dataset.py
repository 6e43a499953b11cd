"""Four objects at a time, chosen by their shape."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import Compose
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from torch.utils.data import Dataset

from mmselfemd.errors import UserError, UserValueError
from mmselfemd.registry import DATASETS

# Width over height; between the two a sample is square.
_TALL, _WIDE = 0.5, 1.5


def group_by_shape(sizes: np.ndarray) -> dict[str, np.ndarray]:
    """Sort samples into square, tall and wide ones.

    "Cheaper Pre-training Lunch", Sec. 3.2: width over height between 0.5 and
    1.5, below 0.5, and above 1.5. The bounds themselves count as square.

    Args:
        sizes (np.ndarray): Width and height, (N, 2).

    Returns:
        dict[str, np.ndarray]: Numbers of the samples of ``square``, ``tall``
        and ``wide``.
    """
    shapes = sizes[:, 0] / sizes[:, 1]
    tall, wide = shapes < _TALL, shapes > _WIDE
    return dict(
        square=np.flatnonzero(~(tall | wide)),
        tall=np.flatnonzero(tall),
        wide=np.flatnonzero(wide),
    )


@DATASETS.register_module()
class MontageDataset(Dataset):
    """Draws the four samples of a montage, "Montage assembly" of Sec. 3.2.

    Two square samples, a tall and a wide one are drawn at random from their
    groups. They go to the pipeline as ``samples``, in the order of the
    regions of :class:`StitchMontage`: the square one of the smaller box, the
    wide one, the tall one, and the square one of the larger box.

    Ours: a group without any sample is replaced by all samples, and a line
    says so; a sample whose image does not decode is replaced by any other,
    and not read again: one of the few wide ones would be at every montage.

    Args:
        dataset (dict | ObjectDataset): The samples, or their config. Its own
            pipeline makes each of the four.
        pipeline (Sequence[dict]): Transforms of the four together, from
            ``samples`` to what the network gets.
        length (int, optional): How many montages an epoch has. Defaults to
            None: a quarter of the samples, so that an epoch shows as many as
            there are.
        max_refetch (int): How many broken images in a row are replaced before
            the run stops. Defaults to 100.

    Raises:
        UserValueError: If ``length`` is not positive, or there is no sample.
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        pipeline: Sequence[dict],
        length: int | None = None,
        max_refetch: int = 100,
    ) -> None:
        if length is not None and length < 1:
            raise UserValueError(
                f'MontageDataset: length={length} is not positive'
            )
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.pipeline = Compose(pipeline)
        self.max_refetch = max_refetch
        if not len(dataset):
            raise UserValueError('MontageDataset: there is no sample')
        self._broken: set[int] = set()  # numbers that this process has read
        groups = group_by_shape(dataset.sizes)
        for name, members in groups.items():
            if not len(members):
                print_log(
                    f'There is no {name} sample among {len(dataset)}: any '
                    'one takes its place in a montage.',
                    logger='current',
                )
                groups[name] = np.arange(len(dataset))
        self.groups = groups
        self.length = -(-len(dataset) // 4) if length is None else length

    @property
    def metainfo(self) -> dict:
        """That of the samples: ``classes``."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Any:
        """Draw a montage.

        Args:
            index (int): Its number, which decides nothing by itself: a run
                seeds the generators by it (:class:`SeededDataset`).

        Returns:
            Any: What the pipeline makes of it.

        Raises:
            IndexError: If there are not so many in an epoch.
            UserError: If image after image is broken.
        """
        if not -self.length <= index < self.length:
            raise IndexError(f'montage {index} of {self.length}')
        squares = [self._draw('square'), self._draw('square')]
        small, large = sorted(squares, key=_area)
        samples = [small, self._draw('wide'), self._draw('tall'), large]
        return self.pipeline(dict(samples=samples, sample_idx=index))

    def _draw(self, group: str) -> dict:
        members = self.groups[group]
        number = int(members[np.random.randint(len(members))])
        for _ in range(self.max_refetch + 1):
            # What is drawn does not depend on what was read before.
            if number not in self._broken:
                sample = self.dataset.prepare_data(number)
                if sample is not None:
                    return sample
                self._broken.add(number)
            last, number = number, np.random.randint(len(self.dataset))
        raise UserError(
            f'{self.max_refetch + 1} images in a row could not be read, the '
            f'last being {self.dataset.get_data_info(last)["img_path"]}'
        )


def _area(sample: dict) -> int:
    _, _, width, height = sample['box']
    return width * height
