"""Folders of images without labels."""

import os.path as osp
from typing import Any

from mmpretrain.datasets import CustomDataset

from mmselfemd.errors import UserFileNotFoundError
from mmselfemd.random_state import derived_seed, kept_random_state
from mmselfemd.registry import DATASETS


@DATASETS.register_module()
class UnlabelledDataset(CustomDataset):
    """All images below a folder, or those of a list file, without labels.

    mmpretrain's ``CustomDataset(with_label=False)`` with errors that say what
    to do, and with patience for broken images.

    Args:
        data_root (str): Root of ``data_prefix`` and ``ann_file``.
            Defaults to ''.
        data_prefix (str): Folder of the images. Defaults to ''.
        ann_file (str): Text file with one image path a line, relative to
            ``data_prefix``. Defaults to '': every image below the folder.
        max_refetch (int): How many broken images in a row are replaced before
            the run stops. Defaults to 100.
        seed (int, optional): What everything random about an image is drawn
            from, together with its number: its views are then the same each
            time, as a validation needs them. Defaults to None: other views
            each time.
        **kwargs: Other arguments of ``CustomDataset``.

    Raises:
        UserFileNotFoundError: If the folder or the list file is missing, or if
            there is no image.
    """

    def __init__(
        self,
        data_root: str = '',
        data_prefix: str = '',
        ann_file: str = '',
        max_refetch: int = 100,
        seed: int | None = None,
        **kwargs,
    ) -> None:
        self.seed = seed
        super().__init__(
            data_root=data_root,
            data_prefix=data_prefix,
            ann_file=ann_file,
            with_label=False,
            max_refetch=max_refetch,
            **kwargs,
        )

    def __getitem__(self, idx: int) -> Any:
        """Load an image and put it through the pipeline.

        Args:
            idx (int): Its number.

        Returns:
            Any: What the pipeline makes of it.
        """
        if self.seed is None:
            return super().__getitem__(idx)
        with kept_random_state(derived_seed(self.seed, idx), devices=False):
            return super().__getitem__(idx)

    def load_data_list(self) -> list[dict]:
        """List the images.

        Returns:
            list[dict]: ``img_path`` of each image.
        """
        remedy = (
            'Set data_root, and data_prefix or ann_file below it, of '
            'train_dataloader.dataset to where your images are, e.g. '
            '--cfg-options train_dataloader.dataset.data_root=DIR'
        )
        for name, path, exists in (
            ('image folder', self.img_prefix, osp.isdir),
            ('list file', self.ann_file, osp.isfile),
        ):
            if path and '://' not in path and not exists(path):
                raise UserFileNotFoundError(
                    f"The {name} '{path}' does not exist. {remedy}"
                )
        try:
            data_list = super().load_data_list()
        except RuntimeError as error:  # raised by _find_samples only
            raise UserFileNotFoundError(
                f"There is no image below '{self.img_prefix}' (looked for "
                f'{", ".join(sorted(self.extensions))}). {remedy}'
            ) from error
        if not data_list:
            raise UserFileNotFoundError(
                f"The list file '{self.ann_file}' is empty. {remedy}"
            )
        return data_list
