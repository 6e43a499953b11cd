"""Read a picture of every kind, and print the table of docs/input.md."""

import argparse
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from image_kinds import KINDS, Kind
from image_makers import scene
from PIL import Image

from mmselfemd.datasets import (
    LoadDetectionImage,
    LoadImage,
    UnlabelledDataset,
)
from mmselfemd.datasets.image_values import check_image_values
from mmselfemd.engine.command_line import run_tool
from mmselfemd.errors import UserError

EXTRA = ('tifffile', 'imagecodecs', 'pillow_heif')
HEAD = '| file | becomes | needs `[images]` |\n| --- | --- | --- |'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description='Write one picture in every kind of file, read it as '
        'pre-training and as a detector do, and print what becomes of it as '
        'the table of docs/input.md. Needs mmselfemd[images].'
    )
    return parser.parse_args()


def table(folder: Path) -> str:
    """Make the table.

    Args:
        folder (Path): Where the files are written.

    Returns:
        str: Lines of Markdown.
    """
    return '\n'.join([HEAD, *(row(kind, folder) for kind in KINDS)])


def row(kind: Kind, folder: Path) -> str:
    """Read one kind of file.

    Args:
        kind (Kind): The kind.
        folder (Path): Where the file is written.

    Returns:
        str: A line of Markdown.
    """
    path = folder / 'image.any'
    path.write_bytes(kind.make())
    found = outcome(path, {})
    settings = ', '.join(f'`{n}={v}`' for n, v in kind.settings.items())
    if settings:
        found += f'; with {settings} {outcome(path, kind.settings)}'
    with mock.patch.dict(sys.modules, dict.fromkeys(EXTRA)):
        without = outcome(path, kind.settings)
    needs = 'yes' if 'mmselfemd[images]' in without else ''
    return f'| {kind.name} | {found} | {needs} |'


def outcome(path: Path, settings: dict) -> str:
    """Say what becomes of a file.

    Args:
        path (Path): The file, of :func:`image_makers.scene`.
        settings (dict): ``value_range`` and ``bands``.

    Returns:
        str: Its pixels in words, or what a run says before it stops.
    """
    load = LoadImage(max_warnings=0, **settings)
    dataset = UnlabelledDataset(
        str(path.parent), extensions=['.any'], pipeline=[load]
    )
    try:
        check_image_values(dataset, load)
    except UserError as error:
        return _stop(str(error))
    pixels = load(dict(img_path=str(path)))['img']
    detector = LoadDetectionImage(**settings)(dict(img_path=str(path)))
    if not np.array_equal(pixels, detector['img']):
        return 'other pixels for a detector'
    return _described(pixels[..., ::-1].astype(float))


def _stop(message: str) -> str:
    for name in ('value_range', 'bands'):
        if f'set {name}' in message or f'{name}=(' in message:
            return f'stops the run, which asks for `{name}`'
    reason = message.rpartition('image.any: ')[2].replace('|', '/')
    return f'not read: {reason}'


def _described(rgb: np.ndarray) -> str:
    grey = np.asarray(Image.fromarray(scene()).convert('L'), float)
    if np.abs(rgb - scene()).mean() < 4:
        return 'its colours'
    if (rgb != rgb[..., :1]).any():
        return 'other colours'
    if set(np.unique(rgb)) == {0, 255}:
        return 'black and white'
    # A tenth may be missing: NaN.
    far = np.abs(rgb[..., 0] - grey) > 4
    return 'its grey' if far.mean() < 0.1 else 'another grey'


def main() -> None:
    """Print the table."""
    parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(table(Path(folder)))


if __name__ == '__main__':
    run_tool(main)
