"""Pipelines of transforms, as a config describes them."""

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from mmselfemd.errors import UserError
from mmselfemd.registry import MODELS


def pipelines_of(node: Any) -> Iterator[list]:
    """Every pipeline below a node, through data sets of data sets.

    Args:
        node (Any): A data loader's config, or a part of it.

    Yields:
        list: What stands under a key ``pipeline``.
    """
    if isinstance(node, dict):
        for name, child in node.items():
            if name == 'pipeline' and isinstance(child, list):
                yield child
            else:
                yield from pipelines_of(child)
    elif isinstance(node, list | tuple):
        for child in node:
            yield from pipelines_of(child)


def type_name(step: Any) -> str:
    """Name of a transform's class, without a scope.

    Args:
        step (Any): Config of a transform.

    Returns:
        str: Such as ``CutViews``; ``'None'`` for what is no such config.
    """
    kind = step.get('type') if isinstance(step, dict) else None
    kind = getattr(kind, '__name__', kind)  # a class, in a config of Python
    return str(kind).split('.')[-1]


def check_colour_changes(cfg: Config) -> None:
    """Raise if what ``DrawPhotometric`` draws would never be done.

    The views would go into the network as they were cut: a run without colour
    augmentation, which says nothing.

    Args:
        cfg (Config): The config, with the command line's settings.

    Raises:
        UserError: If ``DrawPhotometric`` is in a pipeline and the data
            preprocessor is not a ``PhotometricPreprocessor``, or the
            pipeline does not pack ``views``.
    """
    for split in ('train', 'val', 'test'):
        loader = cfg.get(f'{split}_dataloader') or {}
        for pipeline in pipelines_of(loader):
            if 'DrawPhotometric' not in set(_types(pipeline)):
                continue
            where = f'{split}_dataloader: its pipeline has DrawPhotometric, '
            _check_preprocessor(cfg, where)
            _check_packing(pipeline, where)


def _check_preprocessor(cfg: Config, where: str) -> None:
    own = (cfg.get('model') or {}).get('data_preprocessor')
    name = (own or cfg.get('data_preprocessor') or {}).get('type')
    found = MODELS.get(name) if isinstance(name, str) else name
    # By its name: data know no model.
    photometric = MODELS.get('PhotometricPreprocessor')
    if found is None or not issubclass(found, photometric):
        raise UserError(
            f'{where}which changes no pixel itself, but the data preprocessor '
            f'is {name!r}: colours would never change. Set data_preprocessor='
            "dict(type='mmselfemd.PhotometricPreprocessor', ...), or take the "
            'pipeline of configs/_base_/datasets/coco_views_on_host.py'
        )


def _check_packing(pipeline: list, where: str) -> None:
    for step in pipeline:
        if type_name(step) == 'PackInputs' and 'views' not in step.get(
            'meta_keys', ()
        ):
            raise UserError(
                f"{where}but PackInputs does not have 'views' among its "
                'meta_keys: what was drawn would be lost. Add it there'
            )


def _types(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield type_name(node)
        node = list(node.values())
    if isinstance(node, list | tuple):
        for child in node:
            yield from _types(child)
