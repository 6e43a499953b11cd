"""Image files that a user names, and what pictures of them are called."""

import logging
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from mmengine.fileio import get_file_backend
from mmengine.logging import print_log

from mmselfemd.datasets.image_sources import ImageFolder
from mmselfemd.datasets.pictures.kinds import EXTENSIONS


def find_images(images: Sequence[str]) -> Iterator[Path]:
    """Files as they are named, and those below folders.

    Args:
        images (Sequence[str]): Files, and folders of them. A folder without
            an image is named in the log.

    Yields:
        Path: A file; one that was named need not exist.
    """
    for path in map(Path, images):
        if path.is_dir():
            found = [
                path / name
                for name in ImageFolder(
                    str(path), EXTENSIONS, get_file_backend(path)
                )
            ]
            if not found:
                skip_image(
                    path, f'no image below it ({", ".join(EXTENSIONS)})'
                )
            yield from found
        else:
            yield path


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """For each image a name for its pictures that no other one has.

    Args:
        paths (Sequence[Path]): Files; some may have one name.

    Returns:
        dict[Path, str]: Names without an extension.
    """
    names: dict[Path, str] = {}
    taken = set()
    for path in paths:
        if path not in names:
            name = next(
                name
                for number in count(1)
                if (name := path.stem + (f'_{number}' if number > 1 else ''))
                not in taken
            )
            taken.add(name)
            names[path] = name
    return names


def skip_image(path: Path, reason: str) -> None:
    """Say that an image is left out.

    Args:
        path (Path): The file or folder.
        reason (str): Why.
    """
    print_log(f'Skipped {path}: {reason}', level=logging.WARNING)
