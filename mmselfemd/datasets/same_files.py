"""Whether all processes see the same images."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, get_world_size

from mmselfemd.errors import UserValueError
from mmselfemd.plurals import counted


def check_same_files(dataset: Any, setting: str) -> None:
    """Raise, in all processes, if their data sets list other images.

    Folders differ on disks of the nodes' own, or where one is written to
    while it is read. Each process would then take its share of another list.
    All processes have to call this.

    Args:
        dataset (Any): The data set of this process; None if it has none.
        setting (str): Where it is in the config, for the error.

    Raises:
        UserValueError: With both numbers, and digests of the lists.
    """
    if get_world_size() == 1:
        return
    own = (0, '') if dataset is None else (len(dataset), _digest(dataset))
    seen = all_gather_object(own)
    for rank, other in enumerate(seen):
        if other != seen[0]:
            raise UserValueError(
                f'{setting}: process 0 sees '
                f'{counted(seen[0][0], "image")} (digest of the list: '
                f'{seen[0][1] or "none"}), process {rank} sees '
                f'{other[0]} ({other[1] or "none"}). Every node needs the '
                'same files, and nothing may write there while they are '
                'listed; a list file (ann_file) fixes which ones count.'
            )


def _digest(dataset: Any) -> str:
    digest = sha256()
    for part in _lists(dataset):
        digest.update(np.ascontiguousarray(part))
    return digest.hexdigest()[:8]


def _lists(dataset: Any) -> Iterator[np.ndarray]:
    """The lists in memory at or below a data set, of ours and mmengine's."""
    inner = getattr(dataset, 'datasets', None) or [
        getattr(dataset, 'dataset', None)
    ]
    for each in inner:
        if each is not None:
            yield from _lists(each)
    paths = getattr(dataset, 'data_list', None)
    if hasattr(paths, 'buffers'):  # of ours
        yield from paths.buffers
    elif isinstance(getattr(dataset, 'data_bytes', None), np.ndarray):
        yield dataset.data_bytes
