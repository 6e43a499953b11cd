"""An embedded data set of synthetic scenes, in COCO's layout."""

import json
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
from mmengine.logging import print_log
from mmengine.utils import ProgressBar
from pycocotools import mask as coco_mask

from mmselfemd.errors import UserFileExistsError, UserValueError

from .scene_grounds import Size
from .scene_objects import OBJECT_CLASSES
from .scene_renderer import Scene, render_scene

SCENE_CLASSES: tuple[str, ...] = tuple(each.name for each in OBJECT_CLASSES)
"""Names of the categories, in the order of their ids: mmdet's ``classes``."""

GENERATOR = 'mmselfemd.datasets.make_scenes'
VERSION = 1
"""To be raised whenever the same arguments give other bytes."""

MIN_SIDE = 64
_SPLITS = ('train2017', 'val2017')
_JPEG_QUALITY = 92
_PROGRESS_STEP = 20  # a line of the bar for each image would flood a log


def make_scenes(
    out_dir: str | os.PathLike,
    num_train: int = 600,
    num_val: int = 120,
    seed: int = 0,
    size: Size = (320, 240),
) -> Path:
    """Write a data set of synthetic scenes with boxes and masks.

    The layout is COCO's: ``train2017/*.jpg``, ``val2017/*.jpg`` and
    ``annotations/instances_{train2017,val2017}.json``. A scene depends on
    ``seed``, ``size``, its split and its number alone: the same arguments
    give the same bytes (with the same numpy and OpenCV), and a larger data
    set begins with the smaller one.

    The folder appears whole or not at all. One that is there already with
    the same arguments is left as it is; one made here with other arguments is
    replaced; any other is refused.

    Args:
        out_dir (str | os.PathLike): Folder to write.
        num_train (int): Number of training images. Defaults to 600.
        num_val (int): Number of validation images. Defaults to 120.
        seed (int): Non-negative seed. Defaults to 0.
        size (tuple[int, int]): Width and height of the images in pixels, each
            at least 64. Defaults to (320, 240).

    Returns:
        Path: The folder.

    Raises:
        ValueError: If an argument is out of its range.
        FileExistsError: If ``out_dir`` holds anything not made here.
    """
    arguments = _checked_arguments(num_train, num_val, seed, size)
    out_dir = Path(out_dir).resolve()
    info = dict(
        description='Synthetic scenes of textured objects',
        contributor=GENERATOR,
        version=VERSION,
        arguments=arguments,
    )
    if _is_there(out_dir, info):
        print_log(f'{out_dir} holds these scenes already: reused', 'current')
        return out_dir
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f'.{out_dir.name}.', dir=out_dir.parent
    ) as scratch:
        # One level further down, where the usual permissions apply.
        partial = Path(scratch, 'data')
        _write(partial, info)
        _check_replaceable(out_dir)  # again: drawing took a while
        if out_dir.exists():
            out_dir.rename(Path(scratch, 'replaced'))
        partial.rename(out_dir)
    return out_dir


def _checked_arguments(
    num_train: int, num_val: int, seed: int, size: Size
) -> dict:
    for name, value, least in (
        ('num_train', num_train, 1),
        ('num_val', num_val, 1),
        ('seed', seed, 0),
    ):
        if not isinstance(value, (int, np.integer)) or value < least:
            raise UserValueError(
                f'{name} must be an integer of at least {least}, '
                f'but got {value!r}'
            )
    if len(size) != 2 or any(
        side != int(side) or side < MIN_SIDE for side in size
    ):
        raise UserValueError(
            f'size must be (width, height) in whole pixels, each at least '
            f'{MIN_SIDE}, but got {size!r}'
        )
    return dict(
        num_train=int(num_train),
        num_val=int(num_val),
        seed=int(seed),
        size=[int(side) for side in size],
    )


def _annotation_file(root: Path, split: str) -> Path:
    return root / 'annotations' / f'instances_{split}.json'


def _read(root: Path, split: str) -> dict | None:
    """A split's annotations, or None if they are not of our making."""
    try:
        content = json.loads(_annotation_file(root, split).read_text())
        ours = content['info']['contributor'] == GENERATOR
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if ours else None


def _listed_files(root: Path) -> set[Path]:
    """The files that the annotations in ``root`` lay claim to."""
    files = set()
    for split in _SPLITS:
        content = _read(root, split)
        if content is not None:
            files.add(_annotation_file(root, split))
            files.update(
                root / split / image['file_name']
                for image in content['images']
            )
    return files


def _is_there(out_dir: Path, info: dict) -> bool:
    """Whether the wanted data set is in ``out_dir``, whole."""
    _check_replaceable(out_dir)
    for split in _SPLITS:
        content = _read(out_dir, split)
        if content is None or content['info'] != info:
            return False
    return all(file.is_file() for file in _listed_files(out_dir))


def _check_replaceable(out_dir: Path) -> None:
    """Raise unless ``out_dir`` is absent, empty, or holds our files only."""
    if not out_dir.exists():
        return
    if not out_dir.is_dir():
        raise UserFileExistsError(
            f'{out_dir} is a file: give a folder for the scenes'
        )
    listed = _listed_files(out_dir)
    for path in sorted(out_dir.rglob('*')):
        is_folder = path.is_dir() and not path.is_symlink()
        if path not in listed and not is_folder:
            raise UserFileExistsError(
                f'{out_dir} holds {path.relative_to(out_dir)}, which is not '
                'part of a data set made here: nothing was changed; give '
                'another folder, or remove this one yourself'
            )


def _write(root: Path, info: dict) -> None:
    """Draw and annotate all scenes, showing progress and time left."""
    counts = [info['arguments'][key] for key in ('num_train', 'num_val')]
    print_log(f'Drawing {sum(counts)} scenes', 'current')
    bar = ProgressBar(sum(counts))
    for number, (split, count) in enumerate(zip(_SPLITS, counts, strict=True)):
        (root / split).mkdir(parents=True)
        images, annotations = [], []
        for index in range(count):
            scene = render_scene(
                np.random.default_rng(
                    [info['arguments']['seed'], number, index]
                ),
                tuple(info['arguments']['size']),
            )
            images.append(_write_image(root / split, scene, 1 + index))
            for annotation in _annotate(scene):
                annotations.append(
                    dict(
                        id=1 + len(annotations),
                        image_id=1 + index,
                        **annotation,
                    )
                )
            done = index + 1
            if done % _PROGRESS_STEP == 0 or done == count:
                bar.update((done - 1) % _PROGRESS_STEP + 1)
        _write_annotations(root, split, info, images, annotations)
    bar.file.write('\n')


def _write_image(folder: Path, scene: Scene, image_id: int) -> dict:
    file_name = f'{image_id:012d}.jpg'
    encoded = cv2.imencode(
        '.jpg',
        scene.image[..., ::-1],
        [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY],
    )[1]
    (folder / file_name).write_bytes(encoded.tobytes())
    height, width = scene.image.shape[:2]
    return dict(id=image_id, file_name=file_name, width=width, height=height)


def _annotate(scene: Scene) -> list[dict]:
    """Boxes, areas and masks (compressed run lengths) of what is seen."""
    annotations = []
    for category_id, mask in zip(
        scene.category_ids, scene.masks(), strict=True
    ):
        encoded = coco_mask.encode(np.asfortranarray(mask))
        annotations.append(
            dict(
                category_id=category_id,
                bbox=[float(side) for side in coco_mask.toBbox(encoded)],
                area=float(coco_mask.area(encoded)),
                iscrowd=0,
                segmentation=dict(
                    size=[int(side) for side in encoded['size']],
                    counts=encoded['counts'].decode('ascii'),
                ),
            )
        )
    return annotations


def _write_annotations(
    root: Path,
    split: str,
    info: dict,
    images: list[dict],
    annotations: list[dict],
) -> None:
    file = _annotation_file(root, split)
    file.parent.mkdir(exist_ok=True)
    categories = [
        dict(id=number, name=name, supercategory='object')
        for number, name in enumerate(SCENE_CLASSES, start=1)
    ]
    file.write_text(
        json.dumps(
            dict(
                info=info,
                licenses=[],
                images=images,
                annotations=annotations,
                categories=categories,
            )
        )
    )
