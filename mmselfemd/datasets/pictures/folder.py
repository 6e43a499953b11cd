"""What the images of a folder are, counted and measured."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from mmengine.fileio import LocalBackend
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from mmselfemd.errors import UserFileNotFoundError
from mmselfemd.plurals import counted

from ..image_sources import ImageFolder
from ..path_list import PathList
from ..transforms.encoded_image import (
    BrokenImageError,
    decode_image,
    jpeg_size,
)
from .kinds import EXTENSIONS, jpeg_components, kind_of
from .mapping import ValueMapping
from .measuring import (
    Values,
    ValueSample,
    range_setting,
    sample_of,
)
from .opening import open_picture
from .picture import Range

_NUM_NAMED = 3
_NUM_SIZES = 5
_MOST_BROKEN = 0.1  # as LoadImage(max_broken_share=...)
_NUM_MEASURED = 2000  # images whose values are kept, of more than 8 bits
_BATCH = 16
_NONE = np.empty(0)


class Look(NamedTuple):
    """What one file is.

    Attributes:
        path (str): Its path below the folder.
        kind (str): Such as ``'TIFF'``; empty if it does not decode.
        size (tuple[int, int]): Width and height.
        bands (int): Number of its bands.
        dtype (str): Type of its values.
        full_range (tuple[float, float], optional): See :class:`Picture`.
        values (np.ndarray): Some of them, if it has more than 8 bits.
        problem (str): Why it is not read, or not without settings; or empty.
    """

    path: str
    kind: str = ''
    size: tuple[int, int] = (0, 0)
    bands: int = 0
    dtype: str = ''
    full_range: Range | None = None
    values: np.ndarray = _NONE
    problem: str = ''


class FolderReport(NamedTuple):
    """What :func:`check_images` found.

    Attributes:
        lines (list[str]): For people to read.
        value_range (tuple[float, float], optional): That of all values of
            more than 8 bits; None if no image has them, or none needs it.
        num_images (int): How many there are.
        broken (list[str]): Paths of those that do not decode.
        needs_bands (bool): Whether some need ``bands`` to be set.
    """

    lines: list[str]
    value_range: Range | None
    num_images: int
    broken: list[str]
    needs_bands: bool

    @property
    def has_many_broken(self) -> bool:
        """Whether a pre-training would stop at them."""
        return len(self.broken) > _MOST_BROKEN * self.num_images

    @property
    def is_usable(self) -> bool:
        """Whether the images can be trained on without ``value_range``.

        And without ``bands``, or with the ``bands`` given.
        """
        return not (
            self.value_range or self.needs_bands or self.has_many_broken
        )


def check_images(
    folder: str,
    bands: Sequence[int] | None = None,
    num_workers: int = 0,
    paths: Sequence[str] | None = None,
) -> FolderReport:
    """Read every image below a folder, count and measure.

    Args:
        folder (str): The folder.
        bands (Sequence[int], optional): See :class:`ValueMapping`. Defaults
            to None.
        num_workers (int): Processes that read. Defaults to 0: this one.
        paths (Sequence[str], optional): Of the images that count, below the
            folder. Defaults to None: all.

    Returns:
        FolderReport: What was found.

    Raises:
        UserFileNotFoundError: If the folder is missing or has no image.
        UserValueError: If ``bands`` is none.
    """
    mapping = ValueMapping(bands=bands, where='--bands')
    passed_over = _passed_over(folder) if paths is None else ()
    paths = _paths(folder) if paths is None else PathList(paths)
    looks = _looks(_Files(folder, paths, mapping), num_workers)
    counts = {name: Counter() for name in ('kind', 'bands', 'dtype', 'size')}
    sample, problems = ValueSample(), []
    step = max(1, len(paths) // _NUM_MEASURED)
    for number, look in enumerate(looks):
        if look.problem:
            problems.append(look._replace(values=_NONE))
        if look.kind:
            for name, counter in counts.items():
                counter[getattr(look, name)] += 1
            if number % step == 0:
                sample.add(look.dtype, look.full_range, look.values)
    measured = sample.measured()
    lines = [
        f'{counted(len(paths), "image")} in {folder}',
        *_counted(counts),
        *_named(problems),
        *passed_over,
    ]
    return _report(lines, measured, problems, len(paths))


def _report(
    lines: list[str],
    measured: list[Values],
    problems: list[Look],
    num_images: int,
) -> FolderReport:
    lines += [f'values: {each.describe()}' for each in measured]
    broken = [each.path for each in problems if not each.kind]
    needs_bands = any(each.kind for each in problems)
    value_range = None
    if len(measured) > 1:
        lines.append(
            'One value_range serves images of every type: where they differ '
            'this much, put them into folders of their own'
        )
    if any(each.needs_range for each in measured):
        value_range = range_setting(measured)
    return FolderReport(lines, value_range, num_images, broken, needs_bands)


class _Files(Dataset):
    """Each file looked at."""

    def __init__(
        self, folder: str, paths: PathList, mapping: ValueMapping
    ) -> None:
        self.folder, self.paths, self.mapping = folder, paths, mapping

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Look:
        path = self.paths[index]
        try:
            with open(os.path.join(self.folder, path), 'rb') as file:
                return look_at(path, file.read(), self.mapping)
        except (OSError, BrokenImageError) as error:
            return Look(path, problem=' '.join(str(error).split()))


def look_at(path: str, content: bytes, mapping: ValueMapping) -> Look:
    """Find out what a file is, and whether it can be trained on.

    Args:
        path (str): Its path, which is handed on.
        content (bytes): The file.
        mapping (ValueMapping): The settings.

    Returns:
        Look: What it is.

    Raises:
        BrokenImageError: If it does not decode.
    """
    is_jpeg = kind_of(content) == 'JPEG' and jpeg_components(content) != 4
    if is_jpeg:
        jpeg_size(content)  # refuses a header that claims too much
    if is_jpeg and mapping.keeps_colours:
        height, width = decode_image(content).shape[:2]
        number = jpeg_components(content)
        return Look(path, 'JPEG', (width, height), number, 'uint8', (0, 255))
    picture = open_picture(content)
    pixels, problem = picture.pixels, ''
    try:
        pixels = mapping.picked(picture)
    except BrokenImageError as error:
        problem = str(error)
    return Look(
        path,
        picture.kind,
        pixels.shape[1::-1],
        picture.num_bands,
        str(pixels.dtype),
        picture.full_range,
        sample_of(picture, pixels),
        problem,
    )


def _paths(folder: str) -> PathList:
    if not os.path.isdir(folder):
        raise UserFileNotFoundError(f"There is no folder '{folder}'")
    paths = PathList(ImageFolder(folder, EXTENSIONS, LocalBackend()))
    if not len(paths):
        raise UserFileNotFoundError(
            f"There is no image below '{folder}' (looked for "
            f'{", ".join(EXTENSIONS)})'
        )
    return paths


def _looks(files: _Files, num_workers: int) -> Iterator[Look]:
    loader = DataLoader(
        files, _BATCH, num_workers=num_workers, collate_fn=list
    )
    for batch in track(loader, description='reading'):
        yield from batch


def _counted(counts: dict[str, Counter]) -> Iterator[str]:
    for name, title in (
        ('kind', 'formats'),
        ('bands', 'bands'),
        ('dtype', 'types'),
    ):
        found = counts[name].most_common()
        yield f'{title}: ' + ', '.join(f'{k} ({n})' for k, n in found)
    sizes = counts['size'].most_common()
    line = ', '.join(f'{w} x {h} ({n})' for (w, h), n in sizes[:_NUM_SIZES])
    if others := sizes[_NUM_SIZES:]:
        shorter = sorted(min(size) for size, _ in others)
        line += (
            f', and {len(others)} others with shorter sides of '
            f'{shorter[0]} to {shorter[-1]}'
        )
    yield f'sizes: {line}'


def _named(problems: Sequence[Look]) -> Iterator[str]:
    """The first few of each kind of problem, then a count."""
    for title, looks in (
        ('not read', [each for each in problems if not each.kind]),
        ('not read for their bands', [each for each in problems if each.kind]),
    ):
        if looks:
            yield f'{title}: {len(looks)}'
            yield from (
                f'  {each.path}: {each.problem}' for each in looks[:_NUM_NAMED]
            )
        if len(looks) > _NUM_NAMED:
            yield f'  and {len(looks) - _NUM_NAMED} others'


def _passed_over(folder: str) -> Iterator[str]:
    """Files that no one looks for, by their endings."""
    endings = Counter(
        os.path.splitext(name)[1].lower() or 'no ending'
        for _, _, names in os.walk(folder)
        for name in names
        if not name.lower().endswith(EXTENSIONS) and name[0] != '.'
    )
    if endings:
        found = ', '.join(f'{e} ({n})' for e, n in endings.most_common())
        yield f'passed over by their names: {found}'
