"""What the work directory of a detection run says about it."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmselfemd.errors import UserValueError
from mmselfemd.settings.decisive_settings import decisive_settings
from mmselfemd.visualization.curve_sources import read_curves
from mmselfemd.zoo.index import SCHEME, read_model_index

from .paper import RANDOM, SUPERVISED, UNKNOWN

# For each metric its names in the log, the first that is there. On VOC, AP50
# is VOC's own metric (Table 5: "the default VOC metric of AP50").
_LOGGED = dict(
    AP=('coco/bbox_mAP',),
    AP50=('pascal_voc/AP50', 'coco/bbox_mAP_50'),
    AP75=('coco/bbox_mAP_75',),
    APs=('coco/bbox_mAP_s',),
    APm=('coco/bbox_mAP_m',),
    APl=('coco/bbox_mAP_l',),
)


class DetectionRun(NamedTuple):
    """A run of fine-tuning.

    Attributes:
        work_dir (Path): Where it is.
        detector (str): Name of its config.
        pretraining (str): Name of the config of pre-training that its
            backbone is from, ``random``, ``supervised`` or ``unknown``.
        figures (dict[str, float]): Its last evaluation, in percent.
        iterations (int): When that was.
        max_iters (int): Iterations of the whole run.
        settings (dict[str, Any]): What of its config decides about its
            result, by dotted path.
        records (list[dict | None]): For each start, of which a resumed run
            has several, what
            :class:`~mmselfemd.monitors.RunRecordHook` recorded; None
            where it recorded nothing.
    """

    work_dir: Path
    detector: str
    pretraining: str
    figures: dict[str, float]
    iterations: int
    max_iters: int
    settings: dict[str, Any]
    records: list[dict | None]


def read_run(
    work_dir: str | Path, pretraining: str | None = None
) -> DetectionRun:
    """Read a run from the files that it left.

    Args:
        work_dir (str | Path): Its work directory.
        pretraining (str, optional): Where its backbone is from, see
            :class:`DetectionRun`. Defaults to None: read off its
            ``pretrained``, which tells if a folder or the file in it has the
            name of the config.

    Returns:
        DetectionRun: The run, finished or not.

    Raises:
        UserValueError: If that is no work directory of a detector that was
            evaluated.
    """
    work_dir = Path(work_dir)
    configs = sorted(work_dir.glob('*.py'))
    if len(configs) != 1:
        raise UserValueError(
            f"'{work_dir}': expected the work directory of a run, with the "
            f'one config that it was started with, but found {len(configs)}'
        )
    cfg = Config.fromfile(configs[0])
    figures, iterations = _last_evaluation(work_dir)
    return DetectionRun(
        work_dir=work_dir,
        detector=configs[0].stem,
        pretraining=pretraining or _origin(cfg.get('pretrained')),
        figures=figures,
        iterations=iterations,
        max_iters=cfg.train_cfg.get('max_iters', 0),
        settings=decisive_settings(cfg.to_dict()),
        records=_records(work_dir),
    )


def _records(work_dir: Path) -> list[dict | None]:
    files = [
        scalars.parents[1] / 'run.json'
        for scalars in sorted(work_dir.glob('*/vis_data/scalars.json'))
    ]
    try:
        return [
            json.loads(file.read_text()) if file.is_file() else None
            for file in files
        ]
    except ValueError as error:
        raise UserValueError(
            f"'{work_dir}': a run.json is damaged: {error}"
        ) from error


def _last_evaluation(work_dir: Path) -> tuple[dict[str, float], int]:
    curves = read_curves(work_dir)
    figures, last = {}, 0
    for metric, names in _LOGGED.items():
        name = next((name for name in names if name in curves), None)
        if name is not None:
            steps, values = curves[name]
            last = max(last, int(steps[-1]))
            figures[metric] = 100 * values[-1]
    if not figures:
        raise UserValueError(
            f"'{work_dir}' has no COCO or VOC evaluation in its logs: it is "
            'not the work directory of a detector, or was not evaluated yet'
        )
    return figures, last


def _origin(pretrained: str | None) -> str:
    """Name of the pre-training that weights are from, by their address."""
    if pretrained is None:
        return RANDOM
    if pretrained.startswith('torchvision://'):
        return SUPERVISED
    if pretrained.startswith(SCHEME):
        return pretrained.removeprefix(SCHEME)
    path = Path(pretrained)
    # A published file's name ends with the start of its SHA-256.
    name = re.sub('-[0-9a-f]{8}$', '', path.stem)
    if name in read_model_index():
        return name
    generic = path.stem in ('backbone', 'latest') or path.stem[-1].isdigit()
    return (path.parent.name if generic else path.stem) or UNKNOWN
