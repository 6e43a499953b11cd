"""Images without labels, from folders and list files."""

import os.path as osp
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from mmengine.dataset import force_full_init
from mmengine.fileio import get_file_backend, join_path
from mmengine.utils import is_abs
from mmpretrain.datasets import CustomDataset

from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.random_state import derived_seed, kept_random_state
from mmselfemd.registry import DATASETS

from .image_sources import ImageFolder, lines_of
from .path_list import PathList
from .pictures.kinds import EXTENSIONS

_REMEDY = (
    'Set data_root, and data_prefix or ann_file below it, to where your '
    'images are, e.g. --cfg-options train_dataloader.dataset.data_root=DIR, '
    'or val_dataloader.dataset.data_root=DIR if it is that of validation'
)
_NUM_LOOKED_FOR = 100
_MAX_MISSING_SHARE = 0.1


@DATASETS.register_module()
class UnlabelledDataset(CustomDataset):
    """All images below folders, or those of list files, without labels.

    mmpretrain's ``CustomDataset(with_label=False)`` for several folders and
    lists, with a list that takes little memory (:class:`PathList`), errors
    that say what to do, and patience for broken images.

    The images are in the order of the folders, below a folder in that of
    their sorted paths, and in a list's own order. Hidden folders below a
    folder are passed over (:class:`ImageFolder`).

    Args:
        data_root (str): Root of ``data_prefix`` and ``ann_file``.
            Defaults to ''.
        data_prefix (str | Sequence[str]): One or more folders of images.
            Defaults to ''.
        ann_file (str | Sequence[str]): Text files with one image path a line,
            relative to ``data_prefix``: one folder for all the lists, or one
            for each. An empty name stands for every image below the folder.
            Defaults to ''.
        img_suffix (str): What the lines of the lists lack at their end, such
            as ``'.jpg'`` in VOC's. Defaults to ''.
        every (int): Which images are taken: one of so many in that order, the
            first one among them. Of a folder of films ``indices`` alone takes
            one scene. Defaults to 1: all.
        max_refetch (int): How many broken images in a row are replaced before
            the run stops. Defaults to 100.
        seed (int, optional): What everything random about an image is drawn
            from, together with its number: its views are then the same each
            time, as a validation needs them. Defaults to None: other views
            each time.
        extensions (Sequence[str]): Endings of the files below a folder that
            are images, lower case. Defaults to those of all kinds that are
            read but raw photographs.
        **kwargs: Other arguments of ``CustomDataset``, but ``serialize_data``:
            the list is compact in any case.

    Raises:
        UserFileNotFoundError: If a folder or a list file is missing, a folder
            has no image, a list is empty, or many of a list's images are
            missing.
        UserValueError: If there are not as many lists as folders, or
            ``every`` is not positive.
    """

    def __init__(
        self,
        data_root: str = '',
        data_prefix: str | Sequence[str] = '',
        ann_file: str | Sequence[str] = '',
        img_suffix: str = '',
        every: int = 1,
        max_refetch: int = 100,
        seed: int | None = None,
        extensions: Sequence[str] = EXTENSIONS,
        **kwargs,
    ) -> None:
        if every < 1:
            raise UserValueError(f'every={every}: expected 1 or more')
        self.img_suffix = img_suffix
        self.every = every
        self.seed = seed
        super().__init__(
            data_root=data_root and osp.expanduser(data_root),
            data_prefix=data_prefix,
            ann_file=ann_file,
            with_label=False,
            max_refetch=max_refetch,
            serialize_data=False,
            extensions=tuple(extensions),
            **kwargs,
        )

    def __getitem__(self, idx: int) -> Any:
        """Load an image and put it through the pipeline.

        Args:
            idx (int): Its number; from the end, if it is negative.

        Returns:
            Any: What the pipeline makes of it.
        """
        if self.seed is None:
            return super().__getitem__(idx)
        number = self.get_data_info(idx)['sample_idx']
        with kept_random_state(derived_seed(self.seed, number), devices=False):
            return super().__getitem__(idx)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """What is known of an image before it is read.

        Args:
            idx (int): Its number; from the end, if it is negative.

        Returns:
            dict: ``img_path`` and ``sample_idx``.
        """
        return dict(
            img_path=self.data_list[idx],
            sample_idx=idx if idx >= 0 else len(self) + idx,
        )

    def load_data_list(self) -> PathList:
        """List the images.

        Returns:
            PathList: Their paths.
        """
        folders = self.img_prefix
        paths = islice(self._paths(), 0, None, self.every)
        return PathList(paths, root=osp.commonprefix(folders))

    def _join_prefix(self) -> None:
        """Join ``data_root`` with each folder and list file."""
        folders = self.data_prefix
        if isinstance(folders, dict):  # what mmpretrain makes of a str
            folders = folders['img_path']
        folders = [self._join_root(each) for each in _as_list(folders)]
        # An empty name stays empty: no list.
        lists = [
            each and self._join_root(each) for each in _as_list(self.ann_file)
        ]
        if len(folders) == 1:
            folders = folders * len(lists)
        elif lists == ['']:
            lists = lists * len(folders)
        if len(lists) != len(folders):
            raise UserValueError(
                f'{len(folders)} folders in data_prefix, but {len(lists)} '
                'list files in ann_file: name one folder for all lists, or '
                "a list for each folder ('' for all of its images)"
            )
        self.data_prefix = dict(img_path=folders)
        self.ann_file = lists

    def _join_root(self, path: str) -> str:
        path = osp.expanduser(path)
        if self.data_root and not is_abs(path):
            return join_path(self.data_root, path)
        return path

    def _get_unserialized_subset(
        self, indices: int | Sequence[int]
    ) -> PathList:
        return self.data_list.select(indices)

    def _paths(self) -> Iterator[str]:
        for folder, list_file in zip(
            self.img_prefix, self.ann_file, strict=True
        ):
            for name, path, exists in (
                ('image folder', folder, osp.isdir),
                ('list file', list_file, osp.isfile),
            ):
                if path and '://' not in path and not exists(path):
                    raise UserFileNotFoundError(
                        f"The {name} '{path}' does not exist. {_REMEDY}"
                    )
            if list_file:
                yield from self._paths_in_list(folder, list_file)
            else:
                yield from self._paths_below(folder)

    def _paths_below(self, folder: str) -> Iterator[str]:
        backend = get_file_backend(folder, enable_singleton=True)
        found = False
        for path in ImageFolder(folder, self.extensions, backend):
            found = True
            yield backend.join_path(folder, path)
        if not found:
            raise UserFileNotFoundError(
                f"There is no image below '{folder}' (looked for "
                f'{", ".join(sorted(self.extensions))}). {_REMEDY}'
            )

    def _paths_in_list(self, folder: str, list_file: str) -> Iterator[str]:
        backend = get_file_backend(folder, enable_singleton=True)
        paths = PathList(
            backend.join_path(folder, line + self.img_suffix)
            for line in lines_of(list_file)
        )
        if not paths:
            raise UserFileNotFoundError(
                f"The list file '{list_file}' is empty. {_REMEDY}"
            )
        if '://' not in folder and self._reads_the_disk():
            _check_some(paths, list_file)
        return iter(paths)

    def _reads_the_disk(self) -> bool:
        """Whether the paths are files, and not keys of a data base."""
        return not any(
            getattr(transform, 'backend_args', None)
            for transform in self.pipeline.transforms
        )


def _as_list(value: str | Sequence[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value) or ['']


def _check_some(paths: PathList, list_file: str) -> None:
    """Raise if a list does not fit the files; a few missing ones pass.

    All of millions of names would take minutes to look for; what is missing
    beside is skipped as a broken image when it is read.
    """
    step = -(-len(paths) // _NUM_LOOKED_FOR)
    some = paths[0], *paths.select(range(step, len(paths), step))
    missing = [path for path in some if not osp.lexists(path)]
    if len(missing) > _MAX_MISSING_SHARE * len(some):
        raise UserFileNotFoundError(
            f"The list file '{list_file}' names '{missing[0]}', which is not "
            f'there ({len(missing)} of {len(some)} names that were looked for '
            'are not). A line is a path relative to data_prefix, without a '
            f'label; img_suffix is put after it. {_REMEDY}'
        )
