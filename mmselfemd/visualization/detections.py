"""What a fine-tuned detector finds on one's own photographs."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
from mmdet.apis import inference_detector, init_detector
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import VISUALIZERS, DefaultScope
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.visualization import Visualizer
from torch import nn

from mmselfemd.datasets.image_values import for_arrays, mapping_of
from mmselfemd.device import keep_detector_off_gpu, kept_device
from mmselfemd.errors import UserError, UserValueError
from mmselfemd.plurals import counted
from mmselfemd.zoo.conventions import check_same_values
from mmselfemd.zoo.fit import check_fits
from mmselfemd.zoo.loading import state_dict_of

from .image_files import find_images, skip_image, unique_names
from .pairs import read_rgb


@kept_device()
def draw_detections(
    cfg: Config,
    checkpoint: str,
    images: Sequence[str],
    out: str,
    score_threshold: float = 0.3,
) -> list[Path]:
    """Draw boxes, and masks where there are some, on images.

    Args:
        cfg (Config): Config of a detector.
        checkpoint (str): Its checkpoint: a path, or any address that
            mmengine's ``CheckpointLoader`` takes.
        images (Sequence[str]): Image files, and folders of them.
        out (str): Folder of the pictures.
        score_threshold (float): Boxes of a lower score are not drawn, in
            [0, 1]. Defaults to 0.3.

    Returns:
        list[Path]: The pictures written.

    Raises:
        UserError: If the config is not of a detector, a picture would take
            the place of an image, or nothing could be drawn.
    """
    if not 0 <= score_threshold <= 1:
        raise UserValueError(
            f'--score-thr: expected a score in [0, 1], got {score_threshold}'
        )
    if cfg.get('default_scope') != 'mmdet':
        raise UserValueError(
            f'{cfg.filename} is not the config of a detector: its '
            f"default_scope is {cfg.get('default_scope')!r}, not 'mmdet'"
        )
    files = _files(images, Path(out))
    model, visualizer = _build(cfg, checkpoint)
    start, highest, pictures = time.time(), 0.0, []
    for done, (path, picture) in enumerate(files.items(), start=1):
        try:
            image = read_rgb(path, mapping=mapping_of(cfg, 'test'))
        except (OSError, ValueError) as error:
            skip_image(path, str(error))
            continue
        scores = _draw(model, visualizer, image, picture, score_threshold)
        highest = max([highest, *scores])
        count = sum(score >= score_threshold for score in scores)
        left = (time.time() - start) / done * (len(files) - done)
        print_log(
            f'{picture}: {counted(count, "box")} '
            f'({done} of {len(files)}, {left:.0f} s left)'
        )
        pictures.append(picture)
    if not pictures:
        raise UserError('Nothing was drawn: no image could be read, see above')
    if highest < score_threshold:
        print_log(
            f'No box on any picture: the highest score is {highest:.3f}, and '
            f'those below {score_threshold:g} are not drawn. A lower '
            '--score-thr shows more; where that is all wrong, the detector '
            'was not trained for long enough.',
            level=logging.WARNING,
        )
    return pictures


def _files(images: Sequence[str], out: Path) -> dict[Path, Path]:
    """The picture of each image; none may take the place of an image."""
    names = unique_names(list(find_images(images)))
    files = {path: out / f'{name}.png' for path, name in names.items()}
    sources = {path.resolve() for path in files}
    for picture in files.values():
        if picture.resolve() in sources:
            raise UserError(
                f'--out {out}: a picture would take the place of {picture}, '
                'which is among the images. Name another folder'
            )
    return files


def _build(cfg: Config, checkpoint: str) -> tuple[nn.Module, Visualizer]:
    """The detector, and what draws with the colours of its classes."""
    keep_detector_off_gpu(cfg)
    mapping = mapping_of(cfg, 'test')
    cfg = for_arrays(cfg)
    loaded = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    check_same_values(
        loaded,
        mapping.value_range,
        mapping.bands,
        checkpoint,
        is_pretrained=False,
    )
    model = init_detector(cfg, checkpoint, palette='none', device=get_device())
    # mmdet's own loading leaves what does not fit at random values.
    check_fits(model, state_dict_of(loaded, checkpoint), checkpoint)
    with DefaultScope.overwrite_default_scope('mmdet'):
        visualizer = VISUALIZERS.build(
            cfg.visualizer | dict(name=uuid4().hex, vis_backends=[])
        )
    visualizer.dataset_meta = model.dataset_meta
    return model, visualizer


def _draw(
    model: nn.Module,
    visualizer: Visualizer,
    image: np.ndarray,
    picture: Path,
    score_threshold: float,
) -> list[float]:
    """Write the picture of an image (RGB); return the scores of its boxes."""
    # The detector's pipeline begins with the BGR of a file.
    sample = inference_detector(model, image[..., ::-1].copy())
    visualizer.add_datasample(
        picture.stem,
        image,
        sample,
        draw_gt=False,
        pred_score_thr=score_threshold,
        out_file=str(picture),
    )
    return sample.pred_instances.scores.tolist()
