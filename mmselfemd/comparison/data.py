"""The photographs and boxes of a comparison, checked before it begins."""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mmengine.fileio import get_file_backend

from mmselfemd.datasets.annotations import (
    MENDED,
    SAID,
    Usage,
    check_usages,
    checked_file,
    forget_files,
    mend,
)
from mmselfemd.datasets.annotations.image_files import Keys, check_images
from mmselfemd.datasets.annotations.image_size import look_at_image
from mmselfemd.datasets.annotations.splits import digest_of
from mmselfemd.datasets.annotations.table import CocoTable
from mmselfemd.datasets.image_sources import ImageFolder
from mmselfemd.datasets.pictures.kinds import EXTENSIONS
from mmselfemd.datasets.transforms.encoded_image import BrokenImageError
from mmselfemd.errors import UserFileNotFoundError, UserValueError
from mmselfemd.plurals import counted

_NUM_NAMED = 5


class Labels(NamedTuple):
    """An annotation file with its images.

    Attributes:
        content (dict): In COCO's format, mended.
        folder (Path): What the file names are below.
    """

    content: dict
    folder: Path

    @property
    def num_images(self) -> int:
        """How many images it lists."""
        return len(self.content['images'])


class Data(NamedTuple):
    """All data of a comparison.

    Attributes:
        images (Path): Folder of the unlabelled photographs.
        unlabelled (list[str]): Their paths below it.
        train (Labels): What detectors are trained on.
        val (Labels): What they are evaluated on.
        classes (tuple[str, ...]): Categories of which ``train`` has boxes.
        said (str): What the check of the annotations has to say.
    """

    images: Path
    unlabelled: list[str]
    train: Labels
    val: Labels
    classes: tuple[str, ...]
    said: str

    @property
    def counted_classes(self) -> str:
        """How many classes there are, for people."""
        return counted(len(self.classes), 'class')


def read_data(
    images: Path,
    train: Path,
    val: Path,
    train_images: Path,
    val_images: Path,
    leave_out_val: bool = False,
) -> Data:
    """Read and check the data of a comparison.

    Args:
        images (Path): Folder of the unlabelled photographs.
        train (Path): Annotations for training, in COCO's format.
        val (Path): Annotations for evaluation.
        train_images (Path): Folder of the images of ``train``.
        val_images (Path): Folder of the images of ``val``.
        leave_out_val (bool): Whether photographs of ``val`` that are among
            the unlabelled ones are left out there. Defaults to False.

    Returns:
        Data: What was read.

    Raises:
        UserError: If something is missing; if the check of the annotations
            finds what makes them unusable, a photograph of ``val`` in
            ``train`` among it; or if a photograph of ``val`` is among the
            unlabelled ones.
    """
    for folder in (images, train_images, val_images):
        if not folder.is_dir():
            raise UserFileNotFoundError(f"no such folder: '{folder}'")
    classes, said = _check(train, val, train_images, val_images)
    unlabelled = _photographs(images)
    _, keys = check_images(checked_file(val).table, str(val_images))
    leaked = same_photographs(images, unlabelled, keys)
    if leaked and not leave_out_val:
        _refuse(leaked, images, val)
    data = Data(
        images,
        [name for name in unlabelled if name not in leaked],
        _labels(train, train_images),
        _labels(val, val_images),
        classes,
        said,
    )
    forget_files()
    return data


def same_photographs(
    folder: Path, names: Sequence[str], keys: Keys
) -> dict[str, str]:
    """Find files that are, byte by byte, images of an annotation file.

    Args:
        folder (Path): Where the files are.
        names (Sequence[str]): Their paths below it.
        keys (Keys): The images, from
            :func:`~mmselfemd.datasets.annotations.image_files.check_images`.

    Returns:
        dict[str, str]: For each such file the path of the image.
    """
    digest = lru_cache(maxsize=None)(digest_of)
    listed: dict[tuple, list[str]] = {}
    for path, key in keys.values():
        listed.setdefault(key, []).append(path)
    sizes = {num_bytes for num_bytes, _ in listed}
    found = {}
    for name in names:
        path = os.path.join(folder, name)
        if os.path.getsize(path) not in sizes:
            continue  # nearly all, by a look at the folder alone
        try:
            key = look_at_image(path).key
        except (OSError, BrokenImageError):
            continue  # no image that decodes is one of those
        for other in listed.get(key, ()):
            if digest(other) == digest(path):
                found[name] = other
    return found


def _check(
    train: Path, val: Path, train_images: Path, val_images: Path
) -> tuple[tuple[str, ...], str]:
    """The classes with boxes, and what is to be said of the annotations."""
    table = checked_file(train).table
    classes = _classes_of(table) if table is not None else None
    findings = check_usages(
        [
            Usage('train', str(train), str(train_images), classes),
            Usage('val', str(val), str(val_images), classes),
        ]
    )
    findings.raise_stops()
    if len(checked_file(val).table.image_ids) < 2:
        raise UserValueError(
            f'{val} lists one image, which shows nothing about others: name '
            'at least 2 to evaluate on'
        )
    return classes, findings.text([MENDED, SAID])


def _photographs(folder: Path) -> list[str]:
    """Paths below the folder, which runs read from a list, line by line."""
    backend = get_file_backend(str(folder))
    names = list(ImageFolder(str(folder), EXTENSIONS, backend))
    if not names:
        raise UserFileNotFoundError(f"there is no image below '{folder}'")
    for name in names:
        if name != name.strip() or {'\n', '\r'} & set(name):
            raise UserValueError(
                f'below {folder} is {name!r}: a name that begins or ends '
                'with a space, or has a line break, cannot be listed; rename '
                'it'
            )
    return names


def _refuse(leaked: dict[str, str], images: Path, val: Path) -> None:
    names = ', '.join(list(leaked)[:_NUM_NAMED])
    more = f' and {len(leaked) - _NUM_NAMED} more'
    raise UserValueError(
        f'{images} has {counted(len(leaked), "photograph")} of {val}: '
        f'{names}{more if len(leaked) > _NUM_NAMED else ""}. A backbone that '
        'was pre-trained on them would be judged by photographs that it '
        'knows. --leave-out-val leaves them out of pre-training'
    )


def _classes_of(table: CocoTable) -> tuple[str, ...]:
    """Those with boxes: Roboflow puts one without over all others."""
    rows = np.unique(table.category_index).tolist()
    return tuple(table.category_names[row] for row in rows)


def _labels(path: Path, folder: Path) -> Labels:
    checked = checked_file(path)
    content = checked.take()
    mend(content, checked.table)
    return Labels(content, folder)


def nested_subsets(
    labels: Labels, fractions: Sequence[float], seed: int = 0
) -> dict[float, Labels]:
    """Parts of the labelled images, each inside the larger ones.

    The images are drawn once; a fraction takes the first of them.

    Args:
        labels (Labels): All labelled images.
        fractions (Sequence[float]): In (0, 1].
        seed (int): Of the draw. Defaults to 0.

    Returns:
        dict[float, Labels]: By fraction, with all categories.

    Raises:
        UserValueError: If a fraction is not in (0, 1], is there twice, or
            leaves no box, or two are the same images.
    """
    order = np.random.default_rng(seed).permutation(labels.num_images)
    subsets: dict[float, Labels] = {}
    for fraction in fractions:
        if not 0 < fraction <= 1 or fraction in subsets:
            raise UserValueError(
                f'--fractions {fraction:g}: expected shares of the labelled '
                'images above 0 and up to 1, each once'
            )
        number = max(1, round(fraction * labels.num_images))
        for other, subset in subsets.items():
            if subset.num_images == number:
                raise UserValueError(
                    f'--fractions {other:g} {fraction:g}: both are the same '
                    f'{number} of {labels.num_images} images; leave one out'
                )
        chosen = [labels.content['images'][i] for i in sorted(order[:number])]
        ids = {image['id'] for image in chosen}
        boxes = [
            each
            for each in labels.content['annotations']
            if each['image_id'] in ids
        ]
        if not boxes:
            raise UserValueError(
                f'--fractions {fraction:g}: {counted(number, "image")} drawn, '
                'without a box; take a larger share'
            )
        content = labels.content | dict(images=chosen, annotations=boxes)
        subsets[fraction] = Labels(content, labels.folder)
    return subsets
