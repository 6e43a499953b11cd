"""The objects of a COCO file, as a data set for classification."""

import os.path as osp
from collections.abc import Sequence

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmselfemd.registry import DATASETS

from .annotations import checked_file
from .annotations.classes import check_classes
from .object_samples import ObjectSamples, object_samples
from .path_list import PathList


@DATASETS.register_module()
class ObjectDataset(BaseDataset):
    """Objects of a COCO file with what is around them, and background.

    An item is a part of an image and its class; which parts there are is
    chosen once, see :func:`object_samples`. The pipeline gets ``img_path``,
    ``box`` (left, top, width, height, pixels), ``gt_label`` and
    ``sample_idx``; :class:`CropSample` cuts the part out.

    The file is checked as those of detectors are: what would be learnt wrong
    stops the run.

    Args:
        ann_file (str): The annotation file, below ``data_root``.
        data_root (str): Root of ``ann_file`` and ``data_prefix``.
            Defaults to ''.
        data_prefix (dict): ``img``: folder of the images, below
            ``data_root``. Defaults to ``dict(img='')``.
        metainfo (dict, optional): ``classes``: names of the classes, in the
            order of labels. Defaults to None: all categories of the file, in
            its order.
        context (float): See :func:`object_samples`. Defaults to 1.0.
        min_size (float): The same. Defaults to 8.
        background (float): The same. Defaults to 0.1.
        seed (int): The same. Defaults to 0.
        **kwargs: Other arguments of mmengine's ``BaseDataset``, but
            ``serialize_data``: the list is compact in any case.

    Raises:
        UserFileNotFoundError: If there is no such file.
        UserValueError: If something is wrong with it, with all that is.
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        data_prefix: dict = dict(img=''),
        metainfo: dict | None = None,
        context: float = 1.0,
        min_size: float = 8,
        background: float = 0.1,
        seed: int = 0,
        **kwargs,
    ) -> None:
        self.context = context
        self.min_size = min_size
        self.background = background
        self.seed = seed
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix,
            metainfo=metainfo,
            serialize_data=False,
            **kwargs,
        )

    @property
    def sizes(self) -> np.ndarray:
        """Width and height of each sample, pixels, (N, 2)."""
        self.full_init()
        return self.data_list.boxes[:, 2:]

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """What is known of a sample before its image is read.

        Args:
            idx (int): Its number.

        Returns:
            dict: ``img_path``, ``box``, ``gt_label`` and ``sample_idx``.
        """
        samples = self.data_list
        return dict(
            img_path=self._paths[int(samples.image_index[idx])],
            box=tuple(samples.boxes[idx].tolist()),
            gt_label=int(samples.labels[idx]),
            sample_idx=idx if idx >= 0 else len(self) + idx,
        )

    def load_data_list(self) -> ObjectSamples:
        """Read and check the file, and choose the samples.

        Returns:
            ObjectSamples: The samples.
        """
        checked = checked_file(self.ann_file, keep=False)
        checked.findings.raise_stops()
        table = checked.table
        classes = self._metainfo.get('classes')
        if classes is None:
            classes = tuple(table.category_names)
            self._metainfo['classes'] = classes
        # Whether others are left out on purpose, CheckAnnotationsHook asks.
        check_classes(table, classes, table.category_names).raise_stops()
        folder = self.data_prefix['img']
        self._paths = PathList(
            (osp.join(folder, name) for name in table.file_names), root=folder
        )
        return object_samples(
            table,
            classes,
            self.context,
            self.min_size,
            self.background,
            self.seed,
        )

    def _get_unserialized_subset(
        self, indices: int | Sequence[int]
    ) -> ObjectSamples:
        if isinstance(indices, int):
            rows = np.arange(len(self.data_list))
            indices = rows[:indices] if indices >= 0 else rows[indices:]
        return self.data_list.select(indices)
