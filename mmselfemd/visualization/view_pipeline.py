"""The part of a config that cuts views."""

from copy import deepcopy
from typing import Any

from mmengine.config import Config

from mmselfemd.datasets.pipelines import pipelines_of, type_name
from mmselfemd.errors import UserValueError


def view_pipeline(cfg: Config) -> list[dict]:
    """Find the pipeline of the training data that cuts views.

    Args:
        cfg (Config): Config of a pre-training run.

    Returns:
        list[dict]: A copy of its pipeline, with ``CutViews`` in it.

    Raises:
        UserValueError: If it cuts no views, as a detector's does not.
    """
    for pipeline in pipelines_of(cfg.get('train_dataloader') or {}):
        if any(_cuts_views(step) for step in pipeline):
            return deepcopy(pipeline)
    raise UserValueError(
        f'{cfg.filename or "the config"} cuts no views: its train_dataloader '
        "has no pipeline with 'CutViews'. These pictures are for pre-training "
        "configs; mmdet's tools/analysis_tools/browse_dataset.py shows what a "
        'detector is trained on.'
    )


def stitches_montages(cfg: Config) -> bool:
    """Whether a config is one of Montage pre-training.

    Args:
        cfg (Config): Any config.

    Returns:
        bool: Whether its training data are montages.
    """
    return any(
        type_name(step) == 'StitchMontage'
        for pipeline in pipelines_of(cfg.get('train_dataloader') or {})
        for step in pipeline
    )


def without_colour_changes(pipeline: list[dict]) -> list[dict]:
    """Keep of a pipeline what places the first two views.

    Args:
        pipeline (list[dict]): As from :func:`view_pipeline`.

    Returns:
        list[dict]: A copy whose ``CutViews`` cuts the first two views and
            leaves their colours alone.

    Raises:
        UserValueError: If there are not two views of one size.
    """
    pipeline = deepcopy(pipeline)
    step = next(step for step in pipeline if _cuts_views(step))
    sizes = [view['size'] for view in step['views']]
    if len(sizes) < 2 or sizes[0] != sizes[1]:
        raise UserValueError(
            'Pictures of matches need two views of one size, the first two '
            f'of CutViews; the config cuts views of {sizes} pixels'
        )
    step['views'] = [dict(size=size, photometric=[]) for size in sizes[:2]]
    return pipeline


def cut_views_of(pipeline: list[dict]) -> dict:
    """Config of ``CutViews`` in a pipeline that has it.

    Args:
        pipeline (list[dict]): As from :func:`view_pipeline`.

    Returns:
        dict: For ``TRANSFORMS.build``.
    """
    return next(step for step in pipeline if _cuts_views(step))


def backend_args_of(pipeline: list[dict]) -> dict | None:
    """Where a pipeline reads its images from.

    Args:
        pipeline (list[dict]): As from :func:`view_pipeline`.

    Returns:
        dict | None: The file backend, for :func:`read_rgb`.
    """
    return pipeline[0].get('backend_args')


def _cuts_views(step: Any) -> bool:
    return type_name(step) == 'CutViews'
